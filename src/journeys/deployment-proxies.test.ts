// The two nginx configurations of docker-compose.yml, run by a real nginx with nothing changed but
// addresses and folders: the one that Presenton gets, in front of its stand-in, and the bundled
// one, in front of two gateways and the store.

import { Buffer } from 'node:buffer'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { hasNginx, openDnsServer, openNginx } from '../sandbox/nginx.ts'
import { findFreePort } from '../sandbox/ports.ts'
import { openReader } from '../sandbox/reader.ts'
import { readComposeFile } from './deployment-files.ts'
import { readLog } from './event-log-rules.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

const { configs, services } = readComposeFile()

/** Each of the texts must be there: what is written for containers, and what stands for it here. */
function adapt(config: string, changes: Record<string, string>): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replaceAll(from, to)
  }, config)
}

function forPresenton({
  listen,
  backend,
  appData,
}: {
  listen: number
  backend: string
  appData: string
}) {
  return adapt(configs['presenton-nginx']!.content, {
    'user www-data;': process.getuid?.() === 0 ? 'user root;' : '',
    '/run/nginx.pid': '{folder}/pid',
    '/var/log/nginx/error.log': '{folder}/error.log',
    'listen 80;': `listen 127.0.0.1:${listen};`,
    'server 127.0.0.1:8000;': `server ${backend};`,
    'server 127.0.0.1:3000;': `server ${backend};`,
    'alias /app_data/': `alias ${appData}/`,
    client_max_body_size:
      'client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; client_max_body_size',
  })
}

describe.skipIf(!hasNginx)('in front of Presenton', () => {
  test('every byte of an event passes at once, also beyond 4 KB', async () => {
    const event = `event: response\ndata: {"type":"chunk","chunk":"${'x'.repeat(20_000)}"}\n\n`
    let goOn = () => {}
    const backend = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event)
      goOn = () => response.end(event)
    })
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
    const listen = await findFreePort()
    const { port } = backend.address() as AddressInfo
    const nginx = await openNginx({
      port: listen,
      config: forPresenton({ listen, backend: `127.0.0.1:${port}`, appData: '/nowhere' }),
    })
    try {
      const reader = await openReader(`${nginx.url}/api/v1/ppt/presentation/stream/1`)
      // The second one is not even made yet.
      await reader.expectNext('chunk', 2_000)
      goOn()
      await reader.expectNext('chunk')
      expect(await reader.ended).toBe('clean')
    } finally {
      await nginx.close()
      backend.close()
    }
  })

  describe('with the gateway before it', () => {
    const credentials = { username: 'gateway', password: 'password-of-presenton' }
    let world: World
    let nginx: Awaited<ReturnType<typeof openNginx>>
    beforeAll(async () => {
      const listen = await findFreePort()
      const env = {
        PRESENTON_URL: `http://127.0.0.1:${listen}`,
        PRESENTON_USERNAME: 'gateway',
        PRESENTON_PASSWORD: credentials.password,
      }
      world = await openWorld({ shape: 'B1', credentials, env })
      const { port, appDataDir } = world.presenton
      nginx = await openNginx({
        port: listen,
        config: forPresenton({ listen, backend: `127.0.0.1:${port}`, appData: appDataDir }),
      })
    })
    afterEach(() => world.expectNoLeaks())
    afterAll(async () => {
      await world.close()
      await nginx.close()
    })

    test('a deck is made, and each slide is seen before the next one is begun', async () => {
      const user = await world.createUser()
      const { gates } = world.presenton
      gates.hold('slides:slide')
      const { id } = await user.submit()
      const reader = await user.subscribe(id)
      const events = []
      for (let slide = 0; slide < 3; slide++) {
        await gates.arrived('slides:slide', slide + 1)
        gates.release('slides:slide', 1)
        for (;;) {
          const event = await reader.expectNext()
          events.push(event)
          if (event.data.slide_index === slide && event.data.type === 'chunk') break
        }
      }
      gates.releaseAll()
      events.push(...(await reader.rest()))
      expect(readLog(events)).toMatchObject({
        slides: { length: 3 },
        terminal: { type: 'complete' },
      })
      // The file itself came from nginx's own folder, and only after it had asked who wants it.
      expect(world.presenton.journal.map(({ operation }) => operation)).toContain('verify')
    })

    test('files are for those who signed in, and nothing is found outside of their folders', async () => {
      const status = async (path: string) => (await fetch(`${nginx.url}${path}`)).status
      expect(await status('/app_data/exports/any.pptx')).toBe(401)
      expect(await status('/app_data/userConfig.json')).toBe(404)
      expect(await status('/app_data/fastapi.db')).toBe(404)
      // This is /etc/passwd before it is looked for, and so a page of Presenton that nobody has.
      expect(await status('/app_data/exports/..%2f..%2fetc/passwd')).toBe(401)
      expect(await status('/_auth_check')).toBe(404)
    })
  })
})

describe.skipIf(!hasNginx)('in front of the gateways', () => {
  const addresses = { gateway: ['127.0.0.1', '127.0.0.2'], minio: ['127.0.0.1'] }
  let world: World
  let user: User
  let front: { pages: string; files: string }
  const closing: (() => Promise<void>)[] = []
  beforeAll(async () => {
    const [pages, files, inside, operations] = await Promise.all(
      [1, 2, 3, 4].map(() => findFreePort()),
    )
    front = { pages: `http://127.0.0.1:${pages}`, files: `http://127.0.0.1:${files}` }
    world = await openWorld({
      replicas: 0,
      env: {
        ...{
          PORT: String(inside),
          OPS_PORT: String(operations),
          PUBLIC_URL: front.pages,
          MINIO_PUBLIC_ENDPOINT: front.files,
        },
        TRUST_PROXY: services['gateway']!.environment['TRUST_PROXY'],
        SSE_HEARTBEAT_SECONDS: '1',
      },
    })
    for (const host of addresses.gateway) await world.openReplica({ HOST: host })
    const names = await openDnsServer({ ...addresses })
    const config = adapt(configs['proxy']!.content, {
      'worker_rlimit_nofile 65536;': '',
      'worker_connections 30000;': 'worker_connections 500;',
      '/tmp/': '{folder}/',
      'resolver 127.0.0.11': `resolver 127.0.0.1:${names.port}`,
      'listen 3000;': `listen 127.0.0.1:${pages};`,
      'listen 9000;': `listen 127.0.0.1:${files};`,
      'gateway:3000': `gateway:${inside}`,
      'gateway:9100': `gateway:${operations}`,
      'minio:9000': `minio:${new URL(world.objects.endpoint).port}`,
    })
    const nginx = await openNginx({ port: Number(pages), config })
    closing.push(nginx.close, names.close)
    user = await world.createUser()
  })
  afterAll(async () => {
    await world.close()
    for (const close of closing) await close()
  })

  const at = () => front.pages

  test('events pass as they come, with their heartbeats, while a run goes on', async () => {
    const { gates } = world.presenton
    gates.hold('slides:slide')
    const { body } = await user.post(undefined, {}, at())
    const reader = await user.subscribe(body.id, { baseUrl: at() })
    expect(reader.headers['content-encoding']).toBeUndefined()
    await gates.arrived('slides:slide')
    await reader.until('stage')
    await vi.waitFor(() => expect(reader.comments).toBeGreaterThan(1), { timeout: 5_000 })
    gates.releaseAll()
    const last = (await reader.rest()).at(-1)
    expect(last?.data).toMatchObject({
      type: 'complete',
      download: { url: expect.stringContaining(`${front.files}/`) },
    })
    expect(await reader.ended).toBe('clean')
    const file = await fetch(last?.data.download.url)
    expect((await file.arrayBuffer()).byteLength).toBe(last?.data.download.size_bytes)
  })

  test('requests go to every replica, and on to the others when one has gone', async () => {
    const seen = () =>
      world.gateways.map(({ logs }) => logs.filter((line) => line.includes('/usage')).length)
    for (let turn = 0; turn < 20; turn++)
      expect((await user.api('/usage', { baseUrl: at() })).status).toBe(200)
    expect(seen().every((times) => times > 0)).toBe(true)
    const [, second] = world.gateways
    await world.closeReplica(second!)
    for (let turn = 0; turn < 10; turn++)
      expect((await user.api('/usage', { baseUrl: at() })).status).toBe(200)
  })

  test("a body over the limit gets the gateway's own answer", async () => {
    const content = 'x'.repeat(9 * 1024 * 1024)
    const { status, body } = await user.post({ content }, {}, at())
    expect({ status, body }).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } })
  })

  test('health is to be seen from outside, metrics are not', async () => {
    for (const path of ['/health', '/health/live', '/health/ready'])
      expect((await fetch(`${at()}${path}`)).status).toBe(200)
    expect((await fetch(`${at()}/metrics`)).status).toBe(404)
  })

  test('the store takes nothing and lists nothing, and knows a forged link', async () => {
    const { id } = await user.generate()
    const { body } = await user.api(`/presentations/${id}/download`, {
      headers: { accept: 'application/json' },
    })
    const url = body.url as string
    const status = async (to: string, init?: RequestInit) => (await fetch(to, init)).status
    expect(await status(url, { headers: { range: 'bytes=0-9' } })).toBe(206)
    expect(await status(url, { method: 'PUT', body: Buffer.from('x') })).toBe(403)
    expect(await status(url, { method: 'DELETE' })).toBe(403)
    expect(await status(url.replace(/\?.*/, ''))).toBe(403)
    expect(await status(url.replace(/X-Amz-Signature=..../, 'X-Amz-Signature=0000'))).toBe(403)
    expect(await status(`${front.files}/presentations?list-type=2`)).toBe(403)
  })
})
