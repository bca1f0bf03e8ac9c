// Tickets: how a page whose EventSource can send neither header nor cookie opens its stream, once
// for each ticket.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { holdInStage } from './presentation-states.ts'
import { createUser, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
let id: string
beforeAll(async () => {
  world = await openWorld({ replicas: 2 })
  user = await world.user()
  id = (await user.make()).id
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

async function take(of = id, by = user): Promise<string> {
  const { status, body, headers } = await by.api(`/presentations/${of}/ticket`, { method: 'POST' })
  expect({ status, body }).toEqual({
    status: 200,
    body: { ticket: expect.stringMatching(/^[\w-]{43}$/), expires_in: 60 },
  })
  expect(headers.get('cache-control')).toBe('no-store')
  return body.ticket
}

/** Opens the stream without anything but the ticket. */
const open = (ticket: string, { of = id, query = '', at = world.url, headers = {} } = {}) =>
  openReader(`${at}/api/v1/presentations/${of}/events?ticket=${ticket}${query}`, { headers })

async function expectRefused(opening: ReturnType<typeof open>) {
  const reader = await opening
  expect([reader.status, JSON.parse(await reader.body).code]).toEqual([
    401,
    'AUTHENTICATION_FAILED',
  ])
  expect(reader.headers['www-authenticate']).toBe('Bearer')
}

test('a ticket opens the stream, once; the page comes back with a new one, and its last id', async () => {
  const ticket = await take()
  const whole = await (await open(ticket)).rest()
  expect(whole.at(-1)?.data.type).toBe('complete')
  await expectRefused(open(ticket))
  const resumed = await open(await take(), { query: `&last_event_id=${whole.length - 2}` })
  expect((await resumed.rest()).map((event) => event.id)).toEqual([whole.length - 1, whole.length])
  expect((await open(await take(), { query: `&last_event_id=${whole.length}` })).status).toBe(204)
})

test('used by twenty at once, on two replicas, it opens one stream', async () => {
  const ticket = await take()
  const readers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => open(ticket, { at: world.gateways[n % 2]!.url })),
  )
  expect(readers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(401)])
  await Promise.all(readers.map((reader) => reader.rest()))
})

test('it opens nothing else: no other presentation, no other route; and is good for its own after that', async () => {
  const ticket = await take()
  const { id: another } = await user.make()
  await expectRefused(open(ticket, { of: another }))
  await expectRefused(open(ticket, { of: '00000000-0000-4000-8000-000000000000' }))
  await expectRefused(open(ticket, { of: 'nothing' }))
  for (const path of ['', `/${id}`, `/${id}/download`, `/${id}/outlines`, `/${id}/ticket`]) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const { status } = await fetch(`${world.url}/api/v1/presentations${path}?ticket=${ticket}`, {
        method,
        redirect: 'manual',
      })
      expect([401, 405], `${method} ${path}`).toContain(status)
    }
  }
  expect((await (await open(ticket)).rest()).length).toBeGreaterThan(5)
})

test('what is no ticket is refused, also beside a good cookie, and a bad token is not rescued by a good ticket', async () => {
  const cookie = `gateway_session=${user.token}`
  for (const bad of [
    '',
    'x',
    'A'.repeat(43),
    user.token,
    encodeURIComponent(`' or 1=1 --`),
    'a&ticket=b',
  ]) {
    await expectRefused(open(bad))
    await expectRefused(open(bad, { headers: { cookie } }))
  }
  const ticket = await take()
  await expectRefused(open(ticket, { headers: { authorization: 'Bearer nonsense' } }))
  expect((await open(ticket)).status).toBe(200)
})

test('nobody gets one for what is not theirs', async () => {
  const stranger = await world.user('stranger')
  for (const of of [id, '00000000-0000-4000-8000-000000000000', 'nothing']) {
    const answer = await stranger.api(`/presentations/${of}/ticket`, { method: 'POST' })
    expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  }
})

test('it is good for a minute, and not beyond the life of its presentation', async () => {
  const [old, fresh] = [await take(), await take()]
  await world.query(`update gateway.tickets set expires_at = expires_at - interval '55 seconds'`)
  expect((await open(fresh)).status).toBe(200)
  await world.query(`update gateway.tickets set expires_at = expires_at - interval '5 seconds'`)
  await expectRefused(open(old))

  const { id: gone } = await user.make()
  const ticket = await take(gone)
  await user.api(`/presentations/${gone}`, { method: 'DELETE' })
  await expectRefused(open(ticket, { of: gone }))
})

test('its stream lives until the token ends that it was taken with, and no longer', async () => {
  const token = await world.sign({ sub: user.sub, expiresInSeconds: 3 })
  const short = createUser({
    sub: user.sub,
    token,
    url: () => world.url,
    onReader: () => undefined,
  })
  const { id: running } = await holdInStage(world, user, 'outlines')
  const reader = await open(await take(running, short), { of: running })
  const events = await reader.rest(10_000)
  expect(events.at(-1)).toMatchObject({
    id: undefined,
    data: { type: 'status', code: 'TOKEN_EXPIRED' },
  })
  expect(await reader.ended).toBe('clean')
})

test('no ticket stands in a log line', async () => {
  const ticket = await take()
  await (await open(ticket)).rest()
  await expectRefused(open(ticket))
  const lines = world.gateways.flatMap(({ logs }) => logs)
  expect(lines.length).toBeGreaterThan(10)
  expect(lines.filter((line) => line.includes(ticket))).toEqual([])
})
