// Mistakes in the configuration of Presenton that only show once it is asked. /health and one log
// line name the variable; callers are not blamed, and lose nothing.

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Shape } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { upstreamOptions } from './upstream-options.ts'
import { brief } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

vi.setConfig({ testTimeout: 60_000 })

const noWaits: WorldOptions['timing'] = { sleep: async () => undefined, random: () => 0 }
const noWork = { outlines: 0, prepares: 0, slideStreams: 0, exports: 0 }

async function open(options: WorldOptions = {}): Promise<World> {
  const world = await openWorld({ timing: noWaits, ...options })
  onTestFinished(async () => {
    await world.expectNoLeaks()
    await world.close()
  })
  return world
}

async function expectHealth(baseUrl: string, presenton: object, status = 'degraded') {
  await waitFor(async () => {
    const response = await fetch(`${baseUrl}/health`)
    expect(await response.json()).toMatchObject({ status, checks: { presenton } })
  })
}

const misconfigured = (variable: string) => ({
  status: 'degraded',
  reason: 'misconfigured',
  variable,
})
const templateMissing = misconfigured('PRESENTON_DEFAULT_TEMPLATE')
const logLines = ({ logs }: World['gateways'][number], variable: string) =>
  logs.filter((line) => line.includes(`"variable":"${variable}"`))

test.each<[Shape, string]>([
  ['A1', 'dynamic'],
  ['T', 'no such template'],
  ['B1', 'General'],
  ['B1', 'general/modern'],
  ['B1', 'neo-general'],
  ['B2', 'custom-0b1c'],
])('in shape %s the default template %j is named, and no caller is blamed', async (shape, name) => {
  const upstream = upstreamOptions(shape)
  const env = { ...upstream.env, PRESENTON_DEFAULT_TEMPLATE: name }
  const world = await open({ ...upstream, env })
  const [gateway] = world.gateways
  // At the start, before any health check or brief.
  await waitFor(() =>
    expect(logLines(gateway!, 'PRESENTON_DEFAULT_TEMPLATE').length).toBeGreaterThan(0),
  )
  await expectHealth(world.url, templateMissing)
  const user = await world.createUser()
  await user.api('/templates')
  const { id } = await user.submit()
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'failed',
    error: { code: 'UPSTREAM_ERROR', retryable: true },
  })
  expect(world.presenton.spend).toEqual(noWork)
  expect(world.presenton.decks.size).toBe(0)
  // A template that the caller named is judged as ever.
  expect(await user.post({ ...brief, template: 'no-such' })).toMatchObject({ status: 400 })
  await user.generate({ ...brief, template: 'general' })

  // The operator corrects the variable: the same presentation can be retried.
  await world.closeReplicas()
  await world.openReplica({ PRESENTON_DEFAULT_TEMPLATE: 'general' })
  await expectHealth(world.url, { status: 'ok' }, 'ok')
  expect((await user.api(`/presentations/${id}/retry`, { method: 'POST' })).status).toBe(202)
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'completed',
    template: 'general',
  })
})

test('a default template that upstream lost after the outlines can be retried without a loss', async () => {
  const world = await open({ shape: 'A1', env: { PRESENTON_DEFAULT_TEMPLATE: 'neo-general' } })
  const user = await world.createUser()
  world.presenton.gates.hold('outlines:complete')
  const { id } = await user.submit()
  await world.presenton.gates.arrived('outlines:complete')
  world.presenton.setShape('B1')
  world.presenton.gates.releaseAll()
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'failed',
    error: { code: 'UPSTREAM_ERROR', retryable: true },
  })
  await world.closeReplicas()
  await world.openReplica({ PRESENTON_DEFAULT_TEMPLATE: 'general' })
  expect((await user.api(`/presentations/${id}/retry`, { method: 'POST' })).status).toBe(202)
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'completed',
    template: 'general',
  })
  expect(world.presenton.spend.outlines).toBe(1)
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.each<[string, RequestListener]>([
  [
    'a welcome page',
    ({ url }, response) =>
      response
        .writeHead(url === '/' ? 200 : 404, { 'content-type': 'text/html' })
        .end('<html><h1>Welcome to nginx!</h1></html>'),
  ],
  ['a page for every path', (_, response) => response.end('<!doctype html><title>App</title>')],
  ['a login', (_, response) => response.writeHead(302, { location: '/login' }).end()],
  ['a closed door', (_, response) => response.writeHead(401).end('<html>401</html>')],
  ['a proxy without a route', (_, response) => response.writeHead(404).end('404 page not found')],
  [
    'another FastAPI',
    ({ url }, response) =>
      url === '/openapi.json'
        ? response.end('{"openapi":"3.1.0","paths":{"/items":{}}}')
        : response.writeHead(404).end('{"detail":"Not Found"}'),
  ],
])('%s at PRESENTON_URL is named', async (_, listener) => {
  const world = await open({ env: { PRESENTON_URL: await serve(listener) } })
  await expectHealth(world.url, {
    status: 'unavailable',
    reason: 'unsupported',
    variable: 'PRESENTON_URL',
    detail: 'What responds at its address is not Presenton.',
  })
  const user = await world.createUser()
  expect(await user.waitUntilSettled((await user.submit()).id)).toMatchObject({
    status: 'failed',
    error: { code: 'UPSTREAM_ERROR', retryable: true },
  })
})

test('the gateway itself at PRESENTON_URL is named', async () => {
  const world = await open()
  const { url } = await world.openReplica({ PRESENTON_URL: world.url, WORKER: 'false' })
  await expectHealth(url, { reason: 'unsupported', variable: 'PRESENTON_URL' })
})

test.each([
  ['does not exist', join(tmpdir(), 'no-such-directory', 'app_data')],
  ['is a file', new URL(import.meta.url).pathname],
])('a PRESENTON_APP_DATA_DIR that %s is named', async (_, directory) => {
  const world = await open({ env: { PRESENTON_APP_DATA_DIR: directory } })
  await expectHealth(world.url, misconfigured('PRESENTON_APP_DATA_DIR'))
  const user = await world.createUser()
  const done = await user.waitUntilSettled((await user.submit()).id)
  expect(done).toMatchObject({ status: 'failed', error: { retryable: true } })
  // Exporting again would not help.
  expect(world.presenton.spend.exports).toBe(directory.endsWith('app_data') ? 1 : 5)
})

test('a PRESENTON_APP_DATA_DIR that is another directory is named until it holds the files', async () => {
  const other = await mkdtemp(join(tmpdir(), 'other-'))
  onTestFinished(() => rm(other, { recursive: true, force: true }))
  const world = await open({ env: { PRESENTON_APP_DATA_DIR: other } })
  const user = await world.createUser()
  expect(await user.waitUntilSettled((await user.submit()).id)).toMatchObject({ status: 'failed' })
  await expectHealth(world.url, misconfigured('PRESENTON_APP_DATA_DIR'))
  expect(JSON.stringify(await (await fetch(`${world.url}/health`)).json())).not.toContain(other)
})
