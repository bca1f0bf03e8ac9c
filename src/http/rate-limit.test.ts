// The request rate: per user, per address for those who show no good token, and said in headers.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openTestServer, problemOf, type TestServer } from '../app/test-server.ts'

let server: TestServer

beforeEach(async () => {
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '3' } })
})
afterEach(() => server.close())

const templates = (authorization: string) =>
  server.call('/api/v1/templates', { headers: { authorization } })
const numbers = ({ headers }: Response) =>
  ['limit', 'remaining', 'reset'].map((name) => Number(headers.get(`ratelimit-${name}`)))

test('a user may make so many requests a minute, and is told how many are left and when to come back', async () => {
  for (const left of [2, 1, 0]) {
    const [limit, remaining, reset = 0] = numbers(await templates(server.bearer))
    expect([limit, remaining]).toEqual([3, left])
    expect(reset).toBeGreaterThan(50)
  }
  const refused = await templates(server.bearer)
  expect(numbers(refused).slice(0, 2)).toEqual([3, 0])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
  expect(await problemOf(refused)).toMatchObject({ status: 429, code: 'RATE_LIMIT_EXCEEDED' })
  expect((await templates(`Bearer ${await server.token('bob')}`)).status).toBe(200)
})

test('who shows no good token is counted by address, apart from the users there', async () => {
  const statuses = []
  for (let i = 0; i < 4; i++) statuses.push((await templates('Bearer x')).status)
  expect(statuses).toEqual([401, 401, 401, 429])
  expect((await templates(server.bearer)).status).toBe(200)
})

test('what does not exist counts, too: for the user of a good token, else by address', async () => {
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${server.url}${path}`, { method, headers })
  const asked = [
    await ask('/nothing'),
    await ask('/api/v1/templates', {}, 'PUT'),
    await ask('/%zz'),
    await ask('/nothing'),
  ]
  expect(asked.map(({ status }) => status)).toEqual([404, 405, 400, 429])
  expect(asked.map(numbers).map(([limit, remaining]) => [limit, remaining])).toEqual(
    [2, 1, 0, 0].map((left) => [3, left]),
  )
  expect(await problemOf(await ask('/%zz'))).toMatchObject({
    status: 429,
    code: 'RATE_LIMIT_EXCEEDED',
  })
  expect((await templates(server.bearer)).headers.get('ratelimit-remaining')).toBe('2')
  const cookie = server.bearer.replace('Bearer ', 'gateway_session=')
  expect((await ask('/nothing', { cookie })).headers.get('ratelimit-remaining')).toBe('1')
  expect(
    (await ask('/nothing', { authorization: server.bearer })).headers.get('ratelimit-remaining'),
  ).toBe('0')
})

test('the description, its pages and the end of a session are counted like all else', async () => {
  const paths = ['/openapi.json', '/docs/', '/docs/static/index.css']
  for (const [i, path] of paths.entries()) {
    const answer = await fetch(`${server.url}${path}`)
    expect([answer.status, ...numbers(answer).slice(0, 2)], path).toEqual([200, 3, 2 - i])
  }
  expect((await fetch(`${server.url}/api/v1/session`, { method: 'DELETE' })).status).toBe(429)
})

test('a new address written into a header is no new address, as long as no proxy is trusted', async () => {
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

test('all addresses of one IPv6 network count as one, and an IPv4 address written as IPv6 is itself', async () => {
  await server.close()
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '3', TRUST_PROXY: 'true' } })
  const left = async (address: string) => {
    const { headers } = await server.call('/nothing', {
      headers: { authorization: '', 'x-forwarded-for': address },
    })
    return Number(headers.get('ratelimit-remaining'))
  }
  expect(await left('2001:db8:0:7::1')).toBe(2)
  expect(await left('2001:0DB8::7:aaaa:bbbb:cccc:dddd')).toBe(1)
  expect(await left('2001:db8:0:8::1')).toBe(2)
  expect(await left('198.51.100.9')).toBe(2)
  expect(await left('::ffff:198.51.100.9')).toBe(1)
})

test('after as many seconds as Retry-After says, one is let in again', async () => {
  for (let i = 0; i < 3; i++) await templates(server.bearer)
  const waitMs = Number((await templates(server.bearer)).headers.get('retry-after')) * 1000
  const clock = vi.spyOn(Date, 'now')
  const nowMs = Date.now()
  clock.mockReturnValue(nowMs + waitMs - 2_000)
  expect((await templates(server.bearer)).status).toBe(429)
  clock.mockReturnValue(nowMs + waitMs)
  expect((await templates(server.bearer)).status).toBe(200)
  clock.mockRestore()
})

test('health and metrics are never limited', async () => {
  for (const path of ['/health/ready', '/health/live', '/metrics']) {
    for (let i = 0; i < 5; i++) {
      const answer = await fetch(`${server.url}${path}`)
      expect([answer.status, answer.headers.get('ratelimit-limit')]).toEqual([200, null])
    }
  }
})
