// Tickets: a page whose EventSource can send neither header nor cookie opens one stream with each
// ticket.

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
  user = await world.createUser()
  id = (await user.generate()).id
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

/** Requests a ticket for the presentation. */
async function createTicket(of = id, by = user): Promise<string> {
  const { status, body, headers } = await by.api(`/presentations/${of}/ticket`, { method: 'POST' })
  expect({ status, body }).toEqual({
    status: 200,
    body: { ticket: expect.stringMatching(/^[\w-]{43}$/), expires_in: 60 },
  })
  expect(headers.get('cache-control')).toBe('no-store')
  return body.ticket
}

/** Opens the stream with the ticket as the only credential. */
const open = (ticket: string, { of = id, query = '', baseUrl = world.url, headers = {} } = {}) =>
  openReader(`${baseUrl}/api/v1/presentations/${of}/events?ticket=${ticket}${query}`, { headers })

async function expectRefused(opening: ReturnType<typeof open>) {
  const reader = await opening
  expect([reader.status, JSON.parse(await reader.body).code]).toEqual([
    401,
    'AUTHENTICATION_FAILED',
  ])
  expect(reader.headers['www-authenticate']).toBe('Bearer')
}

test('a ticket opens one stream; a reconnect needs a new ticket and the last event id', async () => {
  const ticket = await createTicket()
  const whole = await (await open(ticket)).rest()
  expect(whole.at(-1)?.data.type).toBe('complete')
  await expectRefused(open(ticket))
  const resumed = await open(await createTicket(), { query: `&last_event_id=${whole.length - 2}` })
  expect((await resumed.rest()).map((event) => event.id)).toEqual([whole.length - 1, whole.length])
  expect(
    (await open(await createTicket(), { query: `&last_event_id=${whole.length}` })).status,
  ).toBe(204)
})

test('20 concurrent uses of a ticket, on two replicas, open one stream', async () => {
  const ticket = await createTicket()
  const readers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => open(ticket, { baseUrl: world.gateways[n % 2]!.url })),
  )
  expect(readers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(401)])
  await Promise.all(readers.map((reader) => reader.rest()))
})

test('a ticket is refused for other presentations and routes, and stays valid for its own', async () => {
  const ticket = await createTicket()
  const { id: otherId } = await user.generate()
  await expectRefused(open(ticket, { of: otherId }))
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

test('refuses an invalid ticket beside a valid cookie, and an invalid token beside a valid ticket', async () => {
  const cookie = `gateway_session=${user.token}`
  for (const invalid of [
    '',
    'x',
    'A'.repeat(43),
    user.token,
    encodeURIComponent(`' or 1=1 --`),
    'a&ticket=b',
  ]) {
    await expectRefused(open(invalid))
    await expectRefused(open(invalid, { headers: { cookie } }))
  }
  const ticket = await createTicket()
  await expectRefused(open(ticket, { headers: { authorization: 'Bearer nonsense' } }))
  expect((await open(ticket)).status).toBe(200)
})

test('returns 404 when another user requests a ticket', async () => {
  const other = await world.createUser('other')
  for (const of of [id, '00000000-0000-4000-8000-000000000000', 'nothing']) {
    const response = await other.api(`/presentations/${of}/ticket`, { method: 'POST' })
    expect(response).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  }
})

test('a ticket expires after a minute, and with its presentation', async () => {
  const [old, fresh] = [await createTicket(), await createTicket()]
  await world.query(`update gateway.tickets set expires_at = expires_at - interval '55 seconds'`)
  expect((await open(fresh)).status).toBe(200)
  await world.query(`update gateway.tickets set expires_at = expires_at - interval '5 seconds'`)
  await expectRefused(open(old))

  const { id: deleted } = await user.generate()
  const ticket = await createTicket(deleted)
  await user.api(`/presentations/${deleted}`, { method: 'DELETE' })
  await expectRefused(open(ticket, { of: deleted }))
})

test('the stream of a ticket ends when the token that requested the ticket expires', async () => {
  const token = await world.sign({ sub: user.sub, expiresInSeconds: 3 })
  const expiring = createUser({
    sub: user.sub,
    token,
    url: () => world.url,
    onReader: () => undefined,
  })
  const { id: running } = await holdInStage(world, user, 'outlines')
  const reader = await open(await createTicket(running, expiring), { of: running })
  const events = await reader.rest(10_000)
  expect(events.at(-1)).toMatchObject({
    id: undefined,
    data: { type: 'status', code: 'TOKEN_EXPIRED' },
  })
  expect(await reader.ended).toBe('clean')
})

test('no log line contains a ticket', async () => {
  const ticket = await createTicket()
  await (await open(ticket)).rest()
  await expectRefused(open(ticket))
  const lines = world.gateways.flatMap(({ logs }) => logs)
  expect(lines.length).toBeGreaterThan(10)
  expect(lines.filter((line) => line.includes(ticket))).toEqual([])
})
