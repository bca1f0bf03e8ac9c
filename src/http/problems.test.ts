// Every error becomes a problem document without internal details; tested over real sockets.

import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openTestServer, problemOf, rowId, type TestServer } from '../app/test-server.ts'
import { Problem } from '../domain/problem.ts'

let server: TestServer
let failure: unknown

beforeAll(async () => {
  const listTemplates = async () => {
    throw failure
  }
  server = await openTestServer({
    features: { templates: { listTemplates } },
  })
})
afterAll(() => server.close())
beforeEach(() => {
  server.lines.length = 0
})

const callWithFailure = (error: unknown) => {
  failure = error
  return server.call('/api/v1/templates?secret=1')
}

/** Splits a raw response into status, headers and problem. */
function parseResponse(response: string) {
  const [head = '', body = ''] = response.split('\r\n\r\n')
  const headers = Object.fromEntries(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => line.toLowerCase().split(': ') as [string, string]),
  )
  return {
    status: Number(head.split(' ')[1]),
    headers,
    problem: JSON.parse(body) as Record<string, unknown>,
  }
}

test('a problem has all members and the headers of every response', async () => {
  const response = await callWithFailure(
    new Problem('UPSTREAM_UNAVAILABLE', { retryAfterSeconds: 6.2 }),
  )
  expect(response.status).toBe(503)
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(response.headers.get('retry-after')).toBe('7')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(await response.json()).toEqual({
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    detail: 'The presentation generator is temporarily unavailable.',
    instance: '/api/v1/templates',
    code: 'UPSTREAM_UNAVAILABLE',
    request_id: response.headers.get('x-request-id'),
  })
})

test('every 429 and 503 has Retry-After, also when the problem sets none', async () => {
  for (const code of [
    'QUEUE_FULL',
    'TOO_MANY_STREAMS',
    'STORAGE_UNAVAILABLE',
    'DATABASE_UNAVAILABLE',
  ] as const) {
    expect(
      Number((await callWithFailure(new Problem(code))).headers.get('retry-after')),
      code,
    ).toBeGreaterThan(0)
  }
  const full = await callWithFailure(new Problem('QUEUE_FULL', { status: 503 }))
  expect(await problemOf(full)).toMatchObject({
    status: 503,
    title: 'Service Unavailable',
    code: 'QUEUE_FULL',
  })
  expect(full.headers.get('retry-after')).toBe('5')
})

test('an unexpected error is an INTERNAL_ERROR without details, and is logged with them', async () => {
  const secrets = ['relation "x" at /srv/gateway/db.ts', 'http://presenton:80/x']
  for (const error of [
    new Error(secrets[0], { cause: new Error(secrets[1]) }),
    secrets[0],
    null,
    undefined,
    { statusCode: 404, message: 'x' },
  ]) {
    const response = await callWithFailure(error)
    const text = await response.clone().text()
    expect(await problemOf(response)).toMatchObject({
      status: 500,
      code: 'INTERNAL_ERROR',
      detail: 'An internal error occurred.',
    })
    for (const secret of secrets) expect(text).not.toContain(secret)
  }
  expect(server.lines.join('')).toContain('/srv/gateway/db.ts')
})

test("a client library's 4xx is an internal error", async () => {
  for (const statusCode of [400, 401, 403, 422]) {
    expect(
      await problemOf(
        await callWithFailure(
          Object.assign(new Error('S3 says no'), { statusCode, code: 'AccessDenied' }),
        ),
      ),
    ).toMatchObject({
      status: 500,
    })
  }
})

test('an unreachable database is DATABASE_UNAVAILABLE, also as a nested cause', async () => {
  const errors = [
    Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' }),
    new Error('timeout exceeded when trying to connect'),
    new Error('Connection terminated unexpectedly'),
    new Error('Failed query: select 1', {
      cause: Object.assign(new Error('the database system is shutting down'), { code: '57P03' }),
    }),
  ]
  for (const error of errors) {
    const response = await callWithFailure(error)
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await problemOf(response)).toMatchObject({ status: 503, code: 'DATABASE_UNAVAILABLE' })
  }
})

test('an unknown path is 404, and its query is neither sent nor logged', async () => {
  for (const path of [
    '/',
    '/nothing',
    '/api/v1',
    '/api/v1/presentation',
    `/api/v1/presentations/${rowId}/nothing`,
    '/api/v2/presentations',
  ]) {
    const response = await fetch(`${server.url}${path}?ticket=secret-ticket`)
    expect(await problemOf(response)).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
      instance: path,
    })
  }
  expect(server.lines.join('')).not.toContain('secret-ticket')
})

test('a known path with another method is 405 with Allow', async () => {
  const cases = [
    ['DELETE', '/api/v1/presentations', 'GET, HEAD, POST'],
    ['POST', '/api/v1/templates', 'GET, HEAD'],
    ['HEAD', `/api/v1/presentations/${rowId}/events`, 'GET'],
    ['OPTIONS', '/api/v1/presentations', 'GET, HEAD, POST'],
    ['GET', '/api/v1/session', 'DELETE, POST'],
    ['POST', '/health/live', 'GET, HEAD'],
  ] as const
  for (const [method, path, allow] of cases) {
    const response = await fetch(`${server.url}${path}`, { method })
    expect([response.status, response.headers.get('allow')], `${method} ${path}`).toEqual([
      405,
      allow,
    ])
    if (method !== 'HEAD')
      expect(await problemOf(response)).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
  }
})

test('returns 404 for a malformed id', async () => {
  for (const id of [
    rowId,
    'x',
    '1',
    `${rowId}x`,
    '%2e%2e',
    '%00',
    'x'.repeat(99),
    'x'.repeat(5_000),
    "'; drop table presentations",
  ]) {
    for (const path of ['', '/download', '/events']) {
      const response = await server.call(`/api/v1/presentations/${encodeURI(id)}${path}`)
      if (path === '/events' && id === rowId) continue
      expect((await problemOf(response)).status, id.slice(0, 20)).toBeOneOf([404, 414])
    }
  }
})

test('an unreadable path is a problem document', async () => {
  const response = await fetch(`${server.url}/%zz`)
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(await problemOf(response)).toMatchObject({
    status: 400,
    code: 'VALIDATION_FAILED',
    instance: '/%zz',
  })
})

test('invalid HTTP gets a problem document, and the connection closes', async () => {
  const cases: [string, number][] = [
    ['NONSENSE\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n', 400],
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
    ['GET / HTTP/1.1\r\nHost: x\r\nX: a\u0000b\r\n\r\n', 400],
  ]
  for (const [request, expected] of cases) {
    const { status, headers, problem } = parseResponse(await server.raw(request))
    expect(status, request.slice(0, 40)).toBe(expected)
    expect(headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(problem).toMatchObject({
      type: 'about:blank',
      status: expected,
      code: 'VALIDATION_FAILED',
      request_id: expect.any(String),
    })
  }
})

test('unknown methods and expectations get the same problems as known ones', async () => {
  const request = async (line: string, path: string) =>
    parseResponse(
      await server.raw(`${line.replace('*', path)}\r\nHost: x\r\nConnection: close\r\n\r\n`),
    )
  for (const method of ['PROPFIND', 'TRACE', 'SEARCH', 'LINK', 'PURGE']) {
    expect(
      (await request(`${method} * HTTP/1.1`, '/api/v1/templates')).problem,
      method,
    ).toMatchObject({
      code: 'METHOD_NOT_ALLOWED',
    })
    expect((await request(`${method} * HTTP/1.1`, '/nothing')).problem, method).toMatchObject({
      code: 'NOT_FOUND',
    })
  }
  expect((await request('GET * HTTP/1.1\r\nExpect: something', '/nothing')).problem).toMatchObject({
    code: 'NOT_FOUND',
  })
  expect(
    (await request('GET * HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade', '/nothing'))
      .problem,
  ).toMatchObject({
    status: 404,
  })
})

test('returns 413 for a too large Content-Length before the body is sent', async () => {
  const head = `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\nContent-Type: application/json\r\n`
  const { status, problem } = parseResponse(
    await server.raw(`${head}Content-Length: 8388609\r\n\r\n`),
  )
  expect([status, problem.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
})

test('logs 499 for a client that disconnects during the body, and serves other requests', async () => {
  const head = `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\nContent-Type: application/json\r\n`
  await new Promise<void>((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () =>
      socket.end(`${head}Content-Length: 100\r\n\r\n{"content":`),
    )
    socket.resume().once('close', () => resolve())
  })
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200)
  await expect.poll(() => server.lines.join('')).toContain('"status":499')
})

test('keeps the X-Request-Id of the client when it is well-formed', async () => {
  const requestIdFor = async (given: string) =>
    (await fetch(`${server.url}/health/live`, { headers: { 'x-request-id': given } })).headers.get(
      'x-request-id',
    )
  expect(await requestIdFor('abc-1.2:3')).toBe('abc-1.2:3')
  const uuid = /^[\da-f]{8}-[\da-f-]{27}$/
  for (const given of ['', 'a b', 'x'.repeat(65), '{"a":1}', 'ä'])
    expect(await requestIdFor(given)).toMatch(uuid)
})

test('logs one line for each request', async () => {
  await fetch(`${server.url}/health/live?x=1`)
  await expect.poll(() => server.lines.length).toBe(1)
  expect(JSON.parse(server.lines[0] ?? '')).toMatchObject({
    msg: 'request',
    method: 'GET',
    route: '/health/live',
    path: '/health/live',
    status: 200,
    request_id: expect.any(String),
    ms: expect.any(Number),
  })
})

test('VALIDATION_FAILED has an entry in errors for the whole request', async () => {
  expect(await problemOf(await callWithFailure(new Problem('VALIDATION_FAILED')))).toMatchObject({
    errors: [{ path: '', message: new Problem('VALIDATION_FAILED').detail }],
  })
  expect(await problemOf(await callWithFailure(new Problem('CONFLICT')))).not.toHaveProperty(
    'errors',
  )
})
