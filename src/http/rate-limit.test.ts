// The rate limit: per user, per address without a valid token, and in the RateLimit headers.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openTestServer, problemOf, type TestServer } from '../app/test-server.ts'

let server: TestServer

beforeEach(async () => {
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '3' } })
})
afterEach(() => server.close())

const listTemplates = (authorization: string) =>
  server.call('/api/v1/templates', { headers: { authorization } })
const rateLimitOf = ({ headers }: Response) =>
  ['limit', 'remaining', 'reset'].map((name) => Number(headers.get(`ratelimit-${name}`)))

test('limits the requests of a user per minute, and reports the rest in headers', async () => {
  for (const expected of [2, 1, 0]) {
    const [limit, remaining, reset = 0] = rateLimitOf(await listTemplates(server.bearer))
    expect([limit, remaining]).toEqual([3, expected])
    expect(reset).toBeGreaterThan(50)
  }
  const refused = await listTemplates(server.bearer)
  expect(rateLimitOf(refused).slice(0, 2)).toEqual([3, 0])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
  expect(await problemOf(refused)).toMatchObject({ status: 429, code: 'RATE_LIMIT_EXCEEDED' })
  expect((await listTemplates(`Bearer ${await server.token('bob')}`)).status).toBe(200)
})

test('counts requests without a valid token by address, separately from users', async () => {
  const statuses = []
  for (let i = 0; i < 4; i++) statuses.push((await listTemplates('Bearer x')).status)
  expect(statuses).toEqual([401, 401, 401, 429])
  expect((await listTemplates(server.bearer)).status).toBe(200)
})

test('counts requests for unknown routes, by user or by address', async () => {
  const request = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${server.url}${path}`, { method, headers })
  const responses = [
    await request('/nothing'),
    await request('/api/v1/templates', {}, 'PUT'),
    await request('/%zz'),
    await request('/nothing'),
  ]
  expect(responses.map(({ status }) => status)).toEqual([404, 405, 400, 429])
  expect(responses.map(rateLimitOf).map(([limit, remaining]) => [limit, remaining])).toEqual(
    [2, 1, 0, 0].map((left) => [3, left]),
  )
  expect(await problemOf(await request('/%zz'))).toMatchObject({
    status: 429,
    code: 'RATE_LIMIT_EXCEEDED',
  })
  expect((await listTemplates(server.bearer)).headers.get('ratelimit-remaining')).toBe('2')
  const cookie = server.bearer.replace('Bearer ', 'gateway_session=')
  expect((await request('/nothing', { cookie })).headers.get('ratelimit-remaining')).toBe('1')
  expect(
    (await request('/nothing', { authorization: server.bearer })).headers.get(
      'ratelimit-remaining',
    ),
  ).toBe('0')
})

test('counts the OpenAPI description, its pages and DELETE /session', async () => {
  const paths = ['/openapi.json', '/docs/', '/docs/static/index.css']
  for (const [i, path] of paths.entries()) {
    const response = await fetch(`${server.url}${path}`)
    expect([response.status, ...rateLimitOf(response).slice(0, 2)], path).toEqual([200, 3, 2 - i])
  }
  expect((await fetch(`${server.url}/api/v1/session`, { method: 'DELETE' })).status).toBe(429)
})

test('ignores forwarded addresses unless a proxy is trusted', async () => {
  const statuses = []
  for (let i = 0; i < 4; i++) {
    const headers = {
      authorization: 'Bearer x',
      'x-forwarded-for': `203.0.113.${i}`,
      forwarded: `for=203.0.113.${i}`,
    }
    statuses.push((await server.call('/api/v1/templates', { headers })).status)
  }
  expect(statuses).toEqual([401, 401, 401, 429])
})

test('counts an IPv6 /64 as one address, and a mapped IPv4 address as IPv4', async () => {
  await server.close()
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '3', TRUST_PROXY: 'true' } })
  const remainingFor = async (address: string) => {
    const { headers } = await server.call('/nothing', {
      headers: { authorization: '', 'x-forwarded-for': address },
    })
    return Number(headers.get('ratelimit-remaining'))
  }
  expect(await remainingFor('2001:db8:0:7::1')).toBe(2)
  expect(await remainingFor('2001:0DB8::7:aaaa:bbbb:cccc:dddd')).toBe(1)
  expect(await remainingFor('2001:db8:0:8::1')).toBe(2)
  expect(await remainingFor('198.51.100.9')).toBe(2)
  expect(await remainingFor('::ffff:198.51.100.9')).toBe(1)
  // Azure and others add the port of the connection.
  expect(await remainingFor('198.51.100.9:51234')).toBe(0)
  expect(await remainingFor('[2001:db8:0:8::2]:51234')).toBe(1)
  expect(await remainingFor('[2001:db8:0:8::3]')).toBe(0)
})

test('accepts requests again after Retry-After', async () => {
  for (let i = 0; i < 3; i++) await listTemplates(server.bearer)
  const waitMs = Number((await listTemplates(server.bearer)).headers.get('retry-after')) * 1000
  const clock = vi.spyOn(Date, 'now')
  const nowMs = Date.now()
  clock.mockReturnValue(nowMs + waitMs - 2_000)
  expect((await listTemplates(server.bearer)).status).toBe(429)
  clock.mockReturnValue(nowMs + waitMs)
  expect((await listTemplates(server.bearer)).status).toBe(200)
  clock.mockRestore()
})

test('never limits health and metrics', async () => {
  for (const path of ['/health/ready', '/health/live', '/metrics']) {
    for (let i = 0; i < 5; i++) {
      const response = await fetch(`${server.url}${path}`)
      expect([response.status, response.headers.get('ratelimit-limit')]).toEqual([200, null])
    }
  }
})
