// The servers as a whole: shutdown, cross-origin access, health, and the server for operators.

import { Socket } from 'node:net'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { readConfig } from '../config/config.ts'
import type { Health } from '../operations/routes/health.ts'
import { createLogger } from '../telemetry/logging.ts'
import { createOperationsServer } from './operations-server.ts'
import { openTestServer, rowId, sampleRow, type TestServer } from './test-server.ts'

let server: TestServer
afterEach(() => server?.close())

const path = `/api/v1/presentations/${rowId}`

function createGate() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

test('a handler has three minutes until its first byte, and an idle connection half of them', async () => {
  server = await openTestServer()
  const setTimeouts = vi.spyOn(Socket.prototype, 'setTimeout')
  onTestFinished(() => setTimeouts.mockRestore())
  await server.call(path)
  const port = Number(new URL(server.url).port)
  const ofServer = setTimeouts.mock.calls
    .filter((_, index) => (setTimeouts.mock.contexts[index] as Socket).localPort === port)
    .map(([ms]) => ms)
  expect(ofServer).toContain(180_000)
  expect(ofServer.slice(ofServer.indexOf(180_000))).toContain(90_000)
})

test('close() waits for requests under way', async () => {
  const released = createGate()
  const started = createGate()
  server = await openTestServer({
    features: {
      presentations: {
        async findPresentation() {
          started.resolve()
          await released.promise
          return sampleRow()
        },
      },
    },
  })
  const response = server.call(path)
  await started.promise
  const closed = server.close()
  released.resolve()
  expect((await response).status).toBe(200)
  await closed
  await expect(fetch(`${server.url}/health/live`)).rejects.toThrow()
})

test('close() waits for a hanging request no longer than the grace', async () => {
  const started = createGate()
  server = await openTestServer({
    env: { SHUTDOWN_GRACE_SECONDS: '0' },
    features: {
      presentations: {
        findPresentation() {
          started.resolve()
          return new Promise(() => {})
        },
      },
    },
  })
  const response = server.call(path).catch(() => 'cut off')
  await started.promise
  await server.close()
  expect(await response).toBe('cut off')
})

test('keeps no connection alive once the shutdown has begun', async () => {
  server = await openTestServer()
  expect((await fetch(`${server.url}/health/live`)).headers.get('connection')).toBe('keep-alive')
  server.beginClosing()
  expect((await fetch(`${server.url}/health/live`)).headers.get('connection')).toBe('close')
})

const preflight = (origin: string) =>
  fetch(`${server.url}${path}`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'authorization',
    },
  })

test('allows credentialed requests from allowed origins only', async () => {
  server = await openTestServer({
    env: { CORS_ORIGINS: 'https://app.example,https://other.example', CORS_HEADERS: 'X-Tenant' },
    features: { presentations: { findPresentation: async () => sampleRow() } },
  })
  const allowed = await preflight('https://app.example')
  expect(allowed.status).toBe(204)
  expect(Object.fromEntries(allowed.headers)).toMatchObject({
    'access-control-allow-origin': 'https://app.example',
    'access-control-allow-credentials': 'true',
    vary: 'Origin',
    'access-control-allow-headers':
      'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, If-Match, If-None-Match, ' +
      'MCP-Protocol-Version, Mcp-Method, Mcp-Name, traceparent, tracestate, baggage, sentry-trace, X-Tenant',
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  })
  const response = await server.call(path, { headers: { origin: 'https://other.example' } })
  expect(response.headers.get('access-control-allow-origin')).toBe('https://other.example')
  expect(response.headers.get('access-control-expose-headers')).toContain('Retry-After')
  const refused = await server.call('/nothing', { headers: { origin: 'https://app.example' } })
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
    404,
    'https://app.example',
  ])
  for (const origin of [
    'https://evil.example',
    'null',
    'https://app.example:1',
    'https://app.example.evil.example',
  ]) {
    expect((await preflight(origin)).headers.get('access-control-allow-origin'), origin).toBeNull()
    expect(
      (await server.call(path, { headers: { origin } })).headers.get('access-control-allow-origin'),
    ).toBeNull()
  }
})

test('allows no cross-origin access without CORS_ORIGINS', async () => {
  server = await openTestServer()
  const response = await preflight('https://app.example')
  expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([
    405,
    null,
  ])
})

test('sends Strict-Transport-Security only when PUBLIC_URL is https', async () => {
  server = await openTestServer({ env: { PUBLIC_URL: 'https://decks.example' } })
  expect((await fetch(`${server.url}/health`)).headers.get('strict-transport-security')).toMatch(
    /^max-age=/,
  )
  await server.close()
  server = await openTestServer()
  expect((await fetch(`${server.url}/health`)).headers.get('strict-transport-security')).toBeNull()
})

test('readiness is 503 only when the status is down, and liveness is always 200', async () => {
  let status: Health['status'] = 'ok'
  const checks = { database: { status: 'ok' } }
  server = await openTestServer({
    features: {
      operations: { health: async () => ({ status, version: '1', commit: 'abc', checks }) },
    },
  })
  for (const [state, expected] of [
    ['ok', 200],
    ['degraded', 200],
    ['down', 503],
  ] as const) {
    status = state
    for (const url of ['/health', '/health/ready']) {
      const response = await fetch(`${server.url}${url}`)
      expect([response.status, await response.json()]).toEqual([
        expected,
        { status, version: '1', commit: 'abc', checks },
      ])
      expect(response.headers.has('retry-after')).toBe(expected === 503)
      expect(response.headers.get('cache-control')).toBe('no-store')
    }
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200)
  }
})

test('with OPS_PORT, only the server for operators has health and metrics', async () => {
  server = await openTestServer({ env: { OPS_PORT: '0' } })
  expect((await fetch(`${server.url}/health`)).status).toBe(404)
  expect((await fetch(`${server.url}/metrics`)).status).toBe(404)
  expect((await fetch(`${server.url}/openapi.json`)).status).toBe(200)
  const operations = await createOperationsServer({
    config: readConfig({
      DATABASE_URL: 'postgres://x',
      PRESENTON_URL: 'http://x',
      MINIO_ENDPOINT: 'http://x',
      MINIO_ACCESS_KEY: 'x',
      MINIO_SECRET_KEY: 'x',
      AUTH_JWT_SECRET: 'x'.repeat(32),
    }),
    logger: createLogger({ logLevel: 'silent' }),
    features: {
      ...server.features,
      operations: {
        health: async () => ({ status: 'ok', version: '1', commit: null, checks: {} }),
        metrics: async () => ({
          contentType: 'text/plain; version=0.0.4; charset=utf-8',
          body: 'up 1\n',
        }),
      },
    },
  })
  const metrics = await operations.inject('/metrics')
  expect([metrics.statusCode, metrics.body, metrics.headers['content-type']]).toEqual([
    200,
    'up 1\n',
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  expect((await operations.inject('/health')).statusCode).toBe(200)
  expect((await operations.inject('/api/v1/presentations')).statusCode).toBe(404)
  await operations.close()
})
