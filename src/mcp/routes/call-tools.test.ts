// What surrounds the protocol: authentication, origins, limits, and bodies that are no messages.

import { afterEach, expect, test } from 'vitest'
import { openTestServer, problemOf, sampleRow, type TestServer } from '../../app/test-server.ts'

let server: TestServer
afterEach(() => server.close())

const headers = { accept: 'application/json, text/event-stream' }
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const callOf = (name: string, args: object) => ({
  ...list,
  method: 'tools/call',
  params: { name, arguments: args },
})

const post = (body: unknown, more: Record<string, string> = {}) =>
  server.post('/mcp', body, { ...headers, ...more })

test('credentials are a bearer token, and a 401 says where to get one', async () => {
  server = await openTestServer({ env: { PUBLIC_URL: 'https://decks.example/gw' } })
  const token = await server.token()
  const expired = await server.token('alice', '-1m')
  const metadata = 'https://decks.example/gw/.well-known/oauth-protected-resource/mcp'
  const refused: Record<string, string>[] = [
    { authorization: '' },
    { authorization: 'Bearer x' },
    { authorization: `Bearer ${expired}` },
    { authorization: '', cookie: `gateway_session=${token}` },
  ]
  for (const credentials of refused) {
    const response = await post(list, credentials)
    expect(response.status, JSON.stringify(credentials)).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe(`Bearer resource_metadata="${metadata}"`)
    expect(await problemOf(response)).toMatchObject({
      contentType: 'application/problem+json; charset=utf-8',
      code: 'AUTHENTICATION_FAILED',
    })
  }
  const inQuery = await server.post(`/mcp?access_token=${token}`, list, headers)
  expect(inQuery.status).toBe(401)
  expect((await post(list)).status).toBe(200)
})

test('an origin must be ours or allowed', async () => {
  server = await openTestServer({
    env: { PUBLIC_URL: 'https://decks.example', CORS_ORIGINS: 'https://app.example' },
  })
  for (const origin of ['https://decks.example', 'https://app.example']) {
    expect((await post(list, { origin })).status, origin).toBe(200)
  }
  for (const origin of ['https://evil.example', 'null', 'http://decks.example']) {
    const response = await post(list, { origin })
    expect(await problemOf(response), origin).toMatchObject({
      status: 403,
      code: 'PERMISSION_DENIED',
    })
  }
})

test('other methods get 405, and MCP=false makes all of it 404', async () => {
  server = await openTestServer()
  for (const method of ['GET', 'DELETE', 'PUT', 'PATCH']) {
    const response = await server.call('/mcp', { method })
    expect([response.status, response.headers.get('allow')], method).toEqual([405, 'POST'])
  }
  await server.close()
  server = await openTestServer({ env: { MCP: 'false' } })
  const metadata = '/.well-known/oauth-protected-resource'
  for (const path of ['/mcp', metadata, `${metadata}/mcp`]) {
    expect((await server.call(path)).status, path).toBe(404)
  }
  expect((await post(list)).status).toBe(404)
})

test('clients of any origin read where tokens come from', async () => {
  server = await openTestServer({
    env: { PUBLIC_URL: 'https://decks.example', AUTH_ISSUER: 'https://id.example' },
  })
  for (const path of ['', '/mcp']) {
    const url = `/.well-known/oauth-protected-resource${path}`
    const origin = 'https://anywhere.example'
    const response = await server.call(url, { headers: { authorization: '', origin } })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
    expect(await response.json()).toEqual({
      resource: 'https://decks.example/mcp',
      authorization_servers: ['https://id.example'],
      bearer_methods_supported: ['header'],
    })
    const preflight = await server.call(url, {
      method: 'OPTIONS',
      headers: {
        authorization: '',
        origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'mcp-protocol-version',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-headers')).toBe('mcp-protocol-version')
  }
  const api = await server.call('/api/v1/usage', {
    headers: { origin: 'https://anywhere.example' },
  })
  expect(api.headers.get('access-control-allow-origin')).toBeNull()
})

test('without an issuer the document names no authorization server', async () => {
  server = await openTestServer()
  const response = await server.call('/.well-known/oauth-protected-resource/mcp')
  expect(await response.json()).toEqual({
    resource: `http://localhost:${server.port}/mcp`,
    bearer_methods_supported: ['header'],
  })
})

test.each(['{', '', 'x', '{"__proto__": 1}'])('%j is a parse error of JSON-RPC', async (body) => {
  server = await openTestServer()
  const response = await post(body)
  expect(response.status).toBe(400)
  expect(await response.json()).toEqual({
    jsonrpc: '2.0',
    id: null,
    error: { code: -32700, message: 'Parse error' },
  })
})

test.each([['"x"'], ['{"foo":1}'], ['[]'], ['[1]'], ['null']])(
  '%s is no message of JSON-RPC',
  async (body) => {
    server = await openTestServer()
    const response = await post(body)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32600 } })
  },
)

test('the limits of the API hold: media type, size, requests, messages of a batch', async () => {
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '10' } })
  expect((await post('a=b', { 'content-type': 'text/plain' })).status).toBe(415)
  expect((await post(`"${'x'.repeat(9 * 1024 * 1024)}"`)).status).toBe(413)
  expect((await post(Array.from({ length: 21 }, () => list))).status).toBe(413)
  expect((await post([list, { ...list, id: 2 }, { ...list, id: 3 }])).status).toBe(200)
  const tooMany = await post([
    list,
    { ...list, id: 2 },
    { ...list, id: 3 },
    { ...list, id: 4 },
    { ...list, id: 5 },
  ])
  expect(await problemOf(tooMany)).toMatchObject({ status: 429, code: 'RATE_LIMIT_EXCEEDED' })
  expect(tooMany.headers.get('retry-after')).not.toBeNull()
})

test('no subscription stays open', async () => {
  server = await openTestServer()
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const response = await post(
    { ...list, method: 'subscriptions/listen', params: { notifications: {}, _meta: meta } },
    { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
  )
  expect(await response.json()).toMatchObject({ error: { message: expect.any(String) } })
})

test('a wait ends after 45 s at the latest; 0 does not wait', async () => {
  const waits: number[] = []
  const row = sampleRow({ status: 'running' })
  server = await openTestServer({
    features: {
      presentations: {
        findPresentation: async () => row,
        async waitUntilSettled({ timeoutMs }) {
          waits.push(timeoutMs)
          return row
        },
      },
    },
  })
  for (const wait_seconds of [undefined, 0, 1, 45, 46, 300]) {
    const response = await post(callOf('get_presentation', { id: row.id, wait_seconds }))
    expect(await response.text()).toContain('"status":"running"')
  }
  expect(waits).toEqual([1_000, 45_000, 45_000, 45_000])
})

test('an unexpected failure is INTERNAL_ERROR, logged, and tells nothing else', async () => {
  server = await openTestServer({
    features: {
      usage: {
        readUsage: async () => {
          throw new Error('password of the database')
        },
      },
    },
  })
  const text = await (await post(callOf('get_usage', {}))).text()
  expect(text).toContain('INTERNAL_ERROR')
  expect(text).not.toContain('password')
  expect(server.lines.filter((line) => line.includes('failed unexpectedly'))).toHaveLength(1)
})

test('responses are not stored by caches, and the stream is not transformed', async () => {
  server = await openTestServer()
  const response = await post(list)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect(response.headers.get('cache-control')).toBe('no-store, no-transform')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
})
