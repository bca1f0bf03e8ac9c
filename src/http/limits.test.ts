// The request rate: per user, per address for those who show no good token, and said in headers.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTestServer, problemOf, type TestServer } from './test-server.ts'

let server: TestServer

beforeEach(async () => {
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '3' } })
})
afterEach(() => server.close())

const templates = (authorization: string) => server.call('/api/v1/templates', { headers: { authorization } })
const numbers = ({ headers }: Response) => ['limit', 'remaining', 'reset'].map((name) => Number(headers.get(`ratelimit-${name}`)))

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

test('health is never limited', async () => {
  for (let i = 0; i < 5; i++) expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
})
