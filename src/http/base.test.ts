// The base leaves bodies, security headers and upgrades to the scopes of one server.

import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '../telemetry/logging.ts'
import { type App, createBase } from './base.ts'
import { jsonBodies } from './body/json-bodies.ts'
import { cacheControl, securityHeaders, strictHeaders } from './security-headers.ts'

let app: App

beforeEach(async () => {
  app = createBase({
    logger: createLogger({ logLevel: 'silent' }),
    trustProxy: false,
    headers: strictHeaders({ isHttps: false, isShared: false }),
    idleTimeoutMs: 90_000,
  })
  app.decorateRequest('caller')
  const echo = async ({ body }: { body: unknown }) => ({ body: body ?? null })
  await app.register(async (json: App) => {
    jsonBodies(json, { maxBytes: 20 })
    json.post('/json', echo)
  })
  await app.register(async (upload: App) => {
    upload.addContentTypeParser(
      'text/csv',
      { parseAs: 'string', bodyLimit: 40 },
      (_request, text, done) => done(null, text),
    )
    upload.post('/upload', echo)
  })
  await app.register(async (pages: App) => {
    securityHeaders(pages, {
      'content-security-policy': "default-src 'self'",
      'x-frame-options': undefined,
    })
    cacheControl(pages, 'public, max-age=60')
    pages.get('/page', async (_request, reply) => reply.type('text/html').send('<p>'))
  })
  app.post('/bare', echo)
  app.get('/bare', async () => ({}))
})
afterEach(() => app.close())

const post = (url: string, type: string, payload: string) =>
  app.inject({ method: 'POST', url, headers: { 'content-type': type }, payload })

test('each scope accepts the bodies of its own parser, up to its own size', async () => {
  expect((await post('/json', 'application/json', '{"a":1}')).json()).toEqual({ body: { a: 1 } })
  expect((await post('/upload', 'text/csv', 'x'.repeat(40))).json().body).toHaveLength(40)
  const refused = [
    await post('/json', 'application/json', `"${'x'.repeat(19)}"`),
    await post('/upload', 'text/csv', 'x'.repeat(41)),
    await post('/json', 'text/csv', 'x'),
    await post('/upload', 'application/json', '{}'),
    await post('/bare', 'application/json', '{}'),
  ]
  expect(refused.map(({ statusCode }) => statusCode)).toEqual([413, 413, 415, 415, 415])
  for (const response of refused)
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
})

test('a scope replaces and removes security headers for its own routes only', async () => {
  const page = await app.inject('/page')
  expect(page.headers).toMatchObject({
    'content-security-policy': "default-src 'self'",
    'cache-control': 'public, max-age=60',
    'x-content-type-options': 'nosniff',
  })
  expect(page.headers).not.toHaveProperty('x-frame-options')
  for (const url of ['/bare', '/nothing']) {
    const { headers } = await app.inject(url)
    expect(headers, url).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'x-frame-options': 'DENY',
    })
  }
})

test('an upgrade goes to the transport that listens for it, and requests still go to routes', async () => {
  app.server.on('upgrade', (_request, socket) =>
    socket.end(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello',
    ),
  )
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const received = await new Promise<string>((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET /bare HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'),
    )
    socket.setEncoding('latin1').on('data', (data: string) => {
      text += data
    })
    socket.once('close', () => resolve(text))
  })
  expect(received).toMatch(/^HTTP\/1\.1 101 .*hello$/s)
  expect((await fetch(`http://127.0.0.1:${port}/bare`)).status).toBe(200)
})
