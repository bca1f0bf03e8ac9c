// The two nginx configurations of docker-compose.yml, run by a real nginx with only addresses and
// folders changed: Presenton's, in front of the stand-in, and the bundled proxy's, in front of two
// gateways and the store.

import { Buffer } from 'node:buffer'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { hasNginx, openDnsServer, openNginx } from '../sandbox/nginx.ts'
import { findFreePort } from '../sandbox/ports.ts'
import { openReader } from '../sandbox/reader.ts'
import { openSocket } from '../sandbox/socket.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { readComposeFile } from './deployment-files.ts'
import { readLog } from './event-log-rules.ts'
import { createMakerBrowser, makerCredentials, makerEnv } from './maker-browser.ts'
import { upload } from './uploads.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

const { configs, services } = readComposeFile()

// Starting nginx and sending large bodies takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

/** Replaces each key, which must occur in the configuration, by its value. */
function replaceAll(config: string, replacements: Record<string, string>): string {
  return Object.entries(replacements).reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replaceAll(from, to)
  }, config)
}

function presentonConfig({
  listenPort,
  backend,
  appData,
}: {
  listenPort: number
  backend: string
  appData: string
}) {
  return replaceAll(configs['presenton-nginx']!.content, {
    'user www-data;': process.getuid?.() === 0 ? 'user root;' : '',
    '/run/nginx.pid': '{folder}/pid',
    '/var/log/nginx/error.log': '{folder}/error.log',
    'listen 80;': `listen 127.0.0.1:${listenPort};`,
    'server 127.0.0.1:8000;': `server ${backend};`,
    'server 127.0.0.1:3000;': `server ${backend};`,
    'alias /app_data/': `alias ${appData}/`,
    client_max_body_size:
      'client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; client_max_body_size',
  })
}

describe.skipIf(!hasNginx)('nginx in front of Presenton', () => {
  test('forwards a complete event of 20 kB before the next bytes arrive', async () => {
    const event = `event: response\ndata: {"type":"chunk","chunk":"${'x'.repeat(20_000)}"}\n\n`
    let sendSecondEvent = () => {}
    const backend = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event)
      sendSecondEvent = () => response.end(event)
    })
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
    const listenPort = await findFreePort()
    const { port } = backend.address() as AddressInfo
    const nginx = await openNginx({
      port: listenPort,
      config: presentonConfig({ listenPort, backend: `127.0.0.1:${port}`, appData: '/nowhere' }),
    })
    try {
      const reader = await openReader(`${nginx.url}/api/v1/ppt/presentation/stream/1`)
      // The backend sends the second event only after the first one has arrived.
      await reader.expectNext('chunk', 60_000)
      sendSecondEvent()
      await reader.expectNext('chunk')
      expect(await reader.ended).toBe('clean')
    } finally {
      await nginx.close()
      backend.close()
    }
  })

  describe('with a gateway as client', () => {
    const credentials = { username: 'gateway', password: 'password-of-presenton' }
    let world: World
    let nginx: Awaited<ReturnType<typeof openNginx>>
    beforeAll(async () => {
      const listenPort = await findFreePort()
      const env = {
        PRESENTON_URL: `http://127.0.0.1:${listenPort}`,
        PRESENTON_USERNAME: 'gateway',
        PRESENTON_PASSWORD: credentials.password,
      }
      world = await openWorld({ shape: 'B1', credentials, env })
      const { port, appDataDir } = world.presenton
      nginx = await openNginx({
        port: listenPort,
        config: presentonConfig({ listenPort, backend: `127.0.0.1:${port}`, appData: appDataDir }),
      })
    })
    afterEach(() => world.expectNoLeaks())
    afterAll(async () => {
      await world.close()
      await nginx.close()
    })

    test('delivers each slide before the next one starts', async () => {
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
      // nginx serves the file from its folder after it has asked Presenton to verify the session.
      expect(world.presenton.journal.map(({ operation }) => operation)).toContain('verify')
    })

    test('returns 401 for files without a session, and nothing outside the export folders', async () => {
      const status = async (path: string) => (await fetch(`${nginx.url}${path}`)).status
      expect(await status('/app_data/exports/any.pptx')).toBe(401)
      expect(await status('/app_data/userConfig.json')).toBe(404)
      expect(await status('/app_data/fastapi.db')).toBe(404)
      // nginx normalises this path to /etc/passwd and passes it to Presenton, which asks for a
      // session.
      expect(await status('/app_data/exports/..%2f..%2fetc/passwd')).toBe(401)
      expect(await status('/_auth_check')).toBe(404)
    })
  })
})

describe.skipIf(!hasNginx)('nginx in front of two gateways and the store', () => {
  const addresses = { gateway: ['127.0.0.1', '127.0.0.2'], minio: ['127.0.0.1'] }
  let world: World
  let user: User
  let proxyUrls: { api: string; maker: string; files: string }
  const closers: (() => Promise<void>)[] = []
  beforeAll(async () => {
    const [apiPort, makerPort, filesPort, gatewayPort, gatewayMakerPort, opsPort] =
      await Promise.all([1, 2, 3, 4, 5, 6].map(() => findFreePort()))
    proxyUrls = {
      api: `http://127.0.0.1:${apiPort}`,
      maker: `http://127.0.0.1:${makerPort}`,
      files: `http://127.0.0.1:${filesPort}`,
    }
    world = await openWorld({
      replicas: 0,
      shape: 'B1',
      credentials: makerCredentials,
      env: {
        ...makerEnv,
        MAKER_PORT: String(gatewayMakerPort),
        MAKER_URL: proxyUrls.maker,
        PORT: String(gatewayPort),
        OPS_PORT: String(opsPort),
        PUBLIC_URL: proxyUrls.api,
        MINIO_PUBLIC_ENDPOINT: proxyUrls.files,
        TRUST_PROXY: services['gateway']!.environment['TRUST_PROXY'],
        SSE_HEARTBEAT_SECONDS: '1',
      },
    })
    for (const host of addresses.gateway) await world.openReplica({ HOST: host })
    const dns = await openDnsServer({ ...addresses })
    const config = replaceAll(configs['proxy']!.content, {
      'worker_rlimit_nofile 65536;': '',
      'worker_connections 30000;': 'worker_connections 500;',
      '/tmp/': '{folder}/',
      'resolver 127.0.0.11': `resolver 127.0.0.1:${dns.port}`,
      'listen 3000;': `listen 127.0.0.1:${apiPort};`,
      'listen 3002;': `listen 127.0.0.1:${makerPort};`,
      'listen 9000;': `listen 127.0.0.1:${filesPort};`,
      'gateway:3000': `gateway:${gatewayPort}`,
      'gateway:3002': `gateway:${gatewayMakerPort}`,
      'gateway:9100': `gateway:${opsPort}`,
      'minio:9000': `minio:${new URL(world.objects.endpoint).port}`,
    })
    const nginx = await openNginx({ port: Number(apiPort), config })
    closers.push(nginx.close, dns.close)
    user = await world.createUser()
  })
  afterAll(async () => {
    await world.close()
    for (const close of closers) await close()
  })

  test('forwards events and heartbeats immediately', async () => {
    const { gates } = world.presenton
    gates.hold('slides:slide')
    const { body } = await user.post(undefined, {}, proxyUrls.api)
    const reader = await user.subscribe(body.id, { baseUrl: proxyUrls.api })
    expect(reader.headers['content-encoding']).toBeUndefined()
    await gates.arrived('slides:slide')
    await reader.until('stage')
    await waitFor(() => expect(reader.comments).toBeGreaterThan(1), { timeout: 60_000 })
    gates.releaseAll()
    const last = (await reader.rest()).at(-1)
    expect(last?.data).toMatchObject({
      type: 'complete',
      download: { url: expect.stringContaining(`${proxyUrls.files}/`) },
    })
    expect(await reader.ended).toBe('clean')
    const file = await fetch(last?.data.download.url)
    expect((await file.arrayBuffer()).byteLength).toBe(last?.data.download.size_bytes)
  })

  test('upgrades WebSockets', async () => {
    const url = `${proxyUrls.api}/api/v1/realtime/notifications`
    const socket = await openSocket(url, { token: user.token })
    expect(await socket.next()).toMatchObject({ type: 'connected' })
    await socket.close()
  })

  test('serves the slide maker, and sends no request of it twice', async () => {
    const browser = createMakerBrowser(() => proxyUrls.maker)
    const { body } = await user.api('/maker', { method: 'POST', body: {}, baseUrl: proxyUrls.api })
    expect(body.url).toContain(`${proxyUrls.maker}/_enter?ticket=`)
    expect((await browser.open(body.url)).status).toBe(303)
    expect((await browser.open('/dashboard')).status).toBe(200)
    const before = world.presenton.journal.length
    world.presenton.faults.inject('generate-image:503')
    const path = '/api/v1/ppt/images/generate?prompt=river'
    expect((await browser.fetch(path)).status).toBe(503)
    const asked = world.presenton.journal.slice(before).map(({ operation }) => operation)
    expect(asked.filter((operation) => operation === 'generate-image')).toHaveLength(1)
  })

  test('balances requests over all replicas, and over the remaining one after a shutdown', async () => {
    const requestCounts = () =>
      world.gateways.map(({ logs }) => logs.filter((line) => line.includes('/usage')).length)
    for (let i = 0; i < 20; i++)
      expect((await user.api('/usage', { baseUrl: proxyUrls.api })).status).toBe(200)
    expect(requestCounts().every((count) => count > 0)).toBe(true)
    const [, second] = world.gateways
    await world.closeReplica(second!)
    for (let i = 0; i < 10; i++)
      expect((await user.api('/usage', { baseUrl: proxyUrls.api })).status).toBe(200)
  })

  test('returns the problem of the gateway for a body over the limit', async () => {
    const content = 'x'.repeat(9 * 1024 * 1024)
    const { status, body } = await user.post({ content }, {}, proxyUrls.api)
    expect({ status, body }).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } })
  })

  test('lets uploads through that are larger than other bodies may be', async () => {
    const content = Buffer.alloc(24 * 1024 * 1024, 'The ferry runs. ')
    const sent = await upload(user, proxyUrls.api, [{ name: 'a.txt', content }])
    expect(sent).toMatchObject({ status: 201, body: { items: [{ size_bytes: content.length }] } })
  })

  test('exposes health, and returns 404 for metrics', async () => {
    for (const path of ['/health', '/health/live', '/health/ready'])
      expect((await fetch(`${proxyUrls.api}${path}`)).status).toBe(200)
    expect((await fetch(`${proxyUrls.api}/metrics`)).status).toBe(404)
  })

  test('serves signed downloads; returns 403 for writes, deletes, listings and invalid signatures', async () => {
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
    expect(await status(`${proxyUrls.files}/presentations?list-type=2`)).toBe(403)
  })

  test('tells a browser when to come back while no gateway is there, and others that it is away', async () => {
    await world.closeReplicas()
    const id = '3f333df6-90a4-4fda-8dd3-9485d27cee36'
    const read = async (path: string, accept: string) => {
      const response = await fetch(`${proxyUrls.api}/api/v1${path}`, { headers: { accept } })
      const type = response.headers.get('content-type')
      return { status: response.status, type, text: await response.text() }
    }
    for (const path of [`/presentations/${id}/events`, '/realtime/sse/notifications']) {
      expect(await read(path, 'text/event-stream'), path).toEqual({
        status: 200,
        type: 'text/event-stream',
        text: 'retry: 2000\n\n',
      })
      expect(await read(path, '*/*'), path).toMatchObject({ status: 502, type: 'text/html' })
    }
    expect(await read(`/presentations/${id}`, 'text/event-stream')).toMatchObject({ status: 502 })
  })
})
