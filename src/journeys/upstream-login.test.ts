// Authentication to each version of Presenton: only the gateway's own credentials, one shared
// login, and a new login when the session is lost.

import { afterEach, describe, expect, test } from 'vitest'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { readLog } from './event-log-rules.ts'
import { upstreamOptions } from './upstream-options.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
afterEach(async () => {
  await world.expectNoLeaks()
  await world.close()
})

async function open(options: WorldOptions) {
  world = await openWorld({
    ...options,
    env: { MAX_RUNNING: '8', MAX_RUNNING_PER_USER: '8', ...options.env },
  })
  return world
}

const calls = () => world.presenton.journal
const logins = () => calls().filter(({ operation }) => operation === 'login')

describe.each<Shape>([...shapes])('shape %s', (shape) => {
  test("receives the gateway's credentials and no header of a caller", async () => {
    await open(upstreamOptions(shape))
    const user = await world.createUser()
    const headers = {
      cookie: 'presenton_session=planted',
      'x-forwarded-for': '6.6.6.6',
      'x-api-key': 'planted',
    }
    const { status, headers: answered } = await user.api('/templates', { headers })
    expect(status).toBe(200)
    expect(answered.get('set-cookie')).toBeNull()
    const posted = await user.post(undefined, headers)
    expect(posted.headers.get('set-cookie')).toBeNull()
    expect(await user.waitUntilSettled(posted.body.id)).toMatchObject({ status: 'completed' })

    const sentHeaders = JSON.stringify(calls().map((call) => call.headers))
    for (const secret of [user.token, 'planted', '6.6.6.6', user.sub])
      expect(sentHeaders).not.toContain(secret)
    const paid = calls().filter(({ operation }) => operation === 'slides' || operation === 'create')
    const expected = {
      A1: { authorization: undefined, cookie: undefined },
      T: { authorization: expect.stringMatching(/^Basic /), cookie: undefined },
      B1: { authorization: expect.stringMatching(/^Bearer sk-presenton-/), cookie: undefined },
      B2: { authorization: undefined, cookie: expect.stringMatching(/^presenton_session=[^;]+$/) },
    }[shape]
    for (const { headers: sent } of paid) {
      expect({ authorization: sent.authorization, cookie: sent.cookie }).toEqual(expected)
    }
    expect(logins()).toHaveLength(shape === 'B2' ? 1 : 0)
  })
})

test('concurrent runs share one login, and one new login when the session is lost', async () => {
  await open(upstreamOptions('B2'))
  const user = await world.createUser()
  const { gates, dropSessions } = world.presenton
  gates.hold('prepare')
  const accepted = await Promise.all(Array.from({ length: 6 }, () => user.submit()))
  await gates.arrived('prepare', 6)
  expect(logins()).toHaveLength(1)
  dropSessions()
  gates.releaseAll()
  for (const { id } of accepted) {
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
    // The lost session restarts no stage.
    const log = readLog(await (await user.subscribe(id)).rest())
    expect(log.stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
    expect(log.statuses.filter(({ code }) => code)).toEqual([])
  }
  expect(logins()).toHaveLength(2)
})

test('a wrong password is tried once, so that upstream locks no account, and the runs wait', async () => {
  const credentials = { username: 'gateway', password: 'the right one' }
  const env = { PRESENTON_USERNAME: 'gateway', PRESENTON_PASSWORD: 'a wrong one' }
  await open({ shape: 'B2', credentials, env })
  const user = await world.createUser()
  const accepted = await Promise.all(Array.from({ length: 4 }, () => user.submit()))
  for (const { id } of accepted) {
    const reader = await user.subscribe(id)
    await reader.until('status')
    expect(await user.read(id)).toMatchObject({ status: 'running', error: null })
  }
  expect(logins()).toHaveLength(1)
  const health = await (await fetch(`${world.url}/health`)).json()
  expect(health).toMatchObject({
    status: 'degraded',
    checks: {
      presenton: {
        status: 'degraded',
        reason: 'credentials_refused',
        variable: 'PRESENTON_PASSWORD',
      },
    },
  })
  const lines = world.gateways.flatMap(({ logs }) => logs)
  expect(lines.filter((line) => line.includes('"part":"presenton"'))).toHaveLength(1)
  expect(JSON.stringify([health, lines])).not.toContain('a wrong one')
  for (const { id } of accepted) await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
})

test('a 401 of the model causes no new login', async () => {
  await open({ ...upstreamOptions('B2') })
  world.presenton.faults.inject('prepare:model-401')
  await (await world.createUser()).generate()
  expect(logins()).toHaveLength(1)
})

test('a wrong API key holds the runs, and a configured login replaces it', async () => {
  const credentials = { username: 'gateway', password: 'the password' }
  await open({
    shape: 'B1',
    credentials,
    env: { PRESENTON_API_KEY: `sk-presenton-${'0'.repeat(40)}` },
  })
  const user = await world.createUser()
  const { id } = await user.submit()
  const reader = await user.subscribe(id)
  await reader.until('status')

  const [gateway] = world.gateways
  await world.closeReplica(gateway!)
  await world.openReplica({ PRESENTON_USERNAME: 'gateway', PRESENTON_PASSWORD: 'the password' })
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  expect(logins()).toHaveLength(1)
})
