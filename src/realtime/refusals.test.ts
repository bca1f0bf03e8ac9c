// Refused upgrades: plain problem documents, in the order of the specification; credentials,
// origins and limits.

import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { rowId } from '../app/test-server.ts'
import { Problem } from '../domain/problem.ts'
import { UpgradeRefused } from '../sandbox/socket.ts'
import { openTestConnections, type TestConnections } from '../sandbox/test-connections.ts'

let connections: TestConnections
afterEach(() => connections.close())

const foreignPath = '/api/v1/realtime/generation/00000000-0000-4000-8000-000000000000'

async function refusal(options: Parameters<TestConnections['open']>[0] = {}) {
  const opened = await connections.open(options).catch((error: unknown) => error)
  if (!(opened instanceof UpgradeRefused)) throw new Error('the upgrade was not refused')
  const { status, headers, text } = opened.response
  expect(headers['content-type']).toBe('application/problem+json; charset=utf-8')
  expect(headers['x-content-type-options']).toBe('nosniff')
  const problem = JSON.parse(text)
  expect(problem).toMatchObject({ status, request_id: headers['x-request-id'] })
  return { status, code: problem.code, headers }
}

test('a request that is no upgrade gets 426 before its credentials are checked', async () => {
  connections = await openTestConnections()
  const { server, path } = connections
  const upgrade = { connection: 'upgrade', upgrade: 'websocket' }
  const attempts: [string, Record<string, string>][] = [
    [path, {}],
    [path, { authorization: 'Bearer bad' }],
    [foreignPath, {}],
    [path, { connection: 'close, upgrade', upgrade: 'h2c' }],
    [path, { ...upgrade, 'sec-websocket-version': '12' }],
    [path, { ...upgrade, 'sec-websocket-version': '' }],
  ]
  for (const [url, headers] of attempts) {
    const response = await server
      .raw(
        `GET ${url} HTTP/1.1\r\nHost: x\r\n${Object.entries({ connection: 'close', ...headers })
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join('')}\r\n`,
      )
      .catch(String)
    expect(response).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/)
    expect(response).toMatch(/\r\nupgrade: websocket\r\n/i)
    expect(response).toMatch(/\r\nsec-websocket-version: 13\r\n/i)
    expect(response).toContain('"code":"UPGRADE_REQUIRED"')
  }
})

test('refuses in the order 401, 403, 404, 429, 503', async () => {
  let isDatabaseAway = false
  connections = await openTestConnections({
    env: { MAX_WEBSOCKETS_PER_USER: '1' },
    find: async () => {
      if (isDatabaseAway) throw new Problem('DATABASE_UNAVAILABLE')
    },
  })
  const { server } = connections
  const open = await connections.open()
  const cookie = `gateway_session=${await server.token()}`
  const expired = `gateway_session=${await server.token('alice', '-1h')}`
  const evil = { origin: 'https://evil.example' }
  const at = (headers: Record<string, string>, path = foreignPath) => refusal({ headers, path })
  expect(await at({ cookie: expired, ...evil })).toMatchObject({ status: 401 })
  expect(await at({ cookie, ...evil })).toMatchObject({ status: 403, code: 'PERMISSION_DENIED' })
  expect(await at({ authorization: server.bearer })).toMatchObject({ status: 404 })
  const full = await refusal()
  expect(full).toMatchObject({ status: 429, code: 'TOO_MANY_CONNECTIONS' })
  expect(Number(full.headers['retry-after'])).toBeGreaterThan(0)
  isDatabaseAway = true
  expect(await refusal()).toMatchObject({ status: 429 })
  await open.close()
  await expect.poll(() => connections.connections.openWebSockets().generation).toBe(0)
  expect(await refusal()).toMatchObject({ status: 503, code: 'DATABASE_UNAVAILABLE' })
  isDatabaseAway = false
  connections.beginClosing()
  const closing = await refusal()
  expect(closing.status).toBe(503)
  expect(Number(closing.headers['retry-after'])).toBeGreaterThan(0)
})

test('returns the same 404 for a foreign and a malformed id', async () => {
  connections = await openTestConnections()
  const token = await connections.server.token('bob')
  for (const id of [rowId, 'x', '00000000', `${rowId}x`, '%00'])
    expect(await refusal({ token, path: `/api/v1/realtime/generation/${id}` }), id).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    })
})

test('accepts a cookie only with an Origin of its own or an allowed one', async () => {
  connections = await openTestConnections({ env: { PUBLIC_URL: 'https://decks.example/base' } })
  const cookie = `__Host-gateway_session=${await connections.server.token()}`
  for (const origin of ['https://decks.example', 'https://app.example'])
    await (await connections.open({ headers: { cookie, origin } })).close()
  for (const headers of [
    {},
    { 'sec-fetch-site': 'same-origin' },
    { origin: 'null' },
    { origin: 'https://decks.example.evil.example' },
    { origin: 'http://decks.example' },
    { origin: '' },
  ] as Record<string, string>[])
    expect(await refusal({ headers: { cookie, ...headers } })).toMatchObject({ status: 403 })
  // A token is not sent by the browser itself, so its origin does not matter.
  const authorization = connections.server.bearer
  const origin = 'https://evil.example'
  await (await connections.open({ headers: { authorization, origin } })).close()
})

test('accepts a ticket of its purpose, and no JWT in the query', async () => {
  connections = await openTestConnections()
  const { path, server } = connections
  await (await connections.open({ path: `${path}?ticket=good` })).close()
  // For pages of any site that the user gave the ticket to.
  const headers = { origin: 'https://evil.example' }
  await (await connections.open({ path: `${path}?ticket=good`, headers })).close()
  for (const query of ['?ticket=bad', `?token=${await server.token()}`, '?ticket=', ''])
    expect(await refusal({ path: `${path}${query}`, headers: { accept: '*/*' } })).toMatchObject({
      status: 401,
    })
})

test('refuses an upgrade with a malformed key or protocol', async () => {
  connections = await openTestConnections()
  for (const header of ['Sec-WebSocket-Key: x', 'Sec-WebSocket-Key: '])
    expect(
      await connections.server.raw(
        `GET ${connections.path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${connections.server.bearer}\r\n` +
          `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${header}\r\n\r\n`,
      ),
    ).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*"code":"VALIDATION_FAILED"/)
})

test('a request for another route with an Upgrade header is an ordinary one, also with a body', async () => {
  connections = await openTestConnections()
  const { server } = connections
  const head = `Host: x\r\nAuthorization: ${server.bearer}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n`
  const body = '{"content":"A summary."}'
  const socket = connect(server.port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (data: string) => (text += data))
  socket.write(
    `POST /api/v1/presentations HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
  )
  socket.write(body.slice(9))
  await expect.poll(() => text).toMatch(/^HTTP\/1\.1 202 Accepted\r\n/)
  text = ''
  socket.write(`GET /health/live HTTP/1.1\r\n${head}\r\nGET /api/v1/none HTTP/1.1\r\n${head}\r\n`)
  await expect.poll(() => text).toMatch(/200 OK[\s\S]*404 Not Found/)
  socket.destroy()
  const webSocket = await refusal({ path: '/api/v1/none' })
  expect(webSocket).toMatchObject({ status: 404, code: 'NOT_FOUND' })
})

test('never reads the body of a request with an Upgrade header as another request', async () => {
  connections = await openTestConnections()
  const body = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
  const response = await connections.server.raw(
    `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n` +
      `${'X: y\r\n'.repeat(1_100)}Content-Length: ${body.length}\r\n\r\n${body}`,
  )
  expect(response).not.toContain('200 OK')
})

test('logs an upgrade once, as a request with status 101 and without its ticket', async () => {
  connections = await openTestConnections()
  const { server, path } = connections
  const socket = await connections.open({ path: `${path}?ticket=good` })
  await socket.expectNext('connected')
  await socket.close()
  await refusal({ path: `${path}?ticket=bad` })
  const requests = server.lines
    .map((line) => JSON.parse(line))
    .filter((one) => one.msg === 'request')
  const route = '/api/v1/realtime/generation/:id'
  expect(requests).toMatchObject([
    { method: 'GET', route, path, status: 101, ms: expect.any(Number) },
    { method: 'GET', route, path, status: 401 },
  ])
  for (const line of requests) expect(line).not.toHaveProperty('aborted')
  expect(server.lines.join('')).not.toContain('ticket=')
})

test('logs no error and frees the place of a client that leaves before its upgrade is accepted', async () => {
  let accepted: Duplex | undefined
  connections = await openTestConnections({ find: async () => void accepted?.destroy() })
  const { server } = connections
  server.app.server.once('upgrade', (_request, socket) => (accepted = socket))
  await expect(connections.open()).rejects.toThrow('socket hang up')
  const requests = () =>
    server.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request')
  await expect.poll(requests).toMatchObject([{ status: 499, aborted: true }])
  expect(server.lines.filter((line) => /"level":"(warn|error)"/.test(line))).toEqual([])
  expect(connections.connections.openWebSockets().generation).toBe(0)
})
