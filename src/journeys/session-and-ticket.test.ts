// The session cookie and the ticket: what a browser holds for its user, and what nobody else may do
// with it. And what pages of other origins see.

import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader, type Reader } from '../sandbox/reader.ts'
import { expectProblem, type HeaderValues, toAnswer } from './attack-shape.ts'
import { borrowedCredentials } from './borrowed-credentials.ts'
import type { Presentation, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let victim: User
let mallory: User
let made: Presentation
beforeAll(async () => {
  const env = {
    PUBLIC_URL: 'https://decks.example',
    CORS_ORIGINS: 'https://app.example',
    WORKER: 'false',
  }
  world = await openWorld({ env, replicas: 2 })
  ;[victim, mallory] = [await world.user('victim'), await world.user('mallory')]
  made = await victim.accept()
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

/** As fetch would, but with any Host, and with headers that come twice. */
function ask(
  method: string,
  path: string,
  headers: Record<string, string> | [string, string][] = {},
  body?: string,
) {
  return new Promise<{ status: number; headers: HeaderValues; text: string }>((resolve, reject) => {
    const pairs = Array.isArray(headers) ? headers : Object.entries(headers)
    const { hostname, port } = new URL(world.url)
    const host = pairs.some(([name]) => name === 'host') ? [] : ['host', `${hostname}:${port}`]
    const flat = [
      ...host,
      ...pairs.flat(),
      ...(body === undefined ? [] : ['content-length', String(Buffer.byteLength(body))]),
    ]
    const sent = request(
      { hostname, port, path: `/api/v1${path}`, method, headers: flat, agent: false },
      (response) => {
        text(response).then(
          (read) =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers as HeaderValues,
              text: read,
            }),
          reject,
        )
      },
    )
    sent.once('error', reject).end(body)
  })
}

test.each(borrowedCredentials)(
  'good credentials are no use to another: $name',
  async ({ method = 'GET', path, headers, body, status }) => {
    const fill = (given: string) => given.replace('{id}', made.id).replace('{token}', victim.token)
    const own = { token: victim.token, cookie: `gateway_session=${victim.token}` }
    const answer = await ask(method, fill(path), headers?.(own), body && fill(body))
    expectProblem(answer, status, path)
    expect(answer.headers['set-cookie']).toBeUndefined()
    // A page elsewhere may not read it either.
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  },
)

test('nothing of that has changed anything', async () => {
  expect(await victim.read(made.id)).toEqual(made)
  expect((await victim.api('/presentations')).body.items).toHaveLength(1)
})

test('links lead to the configured address, whatever name the request used', async () => {
  for (const forwarded of [
    {},
    {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example',
    },
  ]) {
    const headers = { host: 'evil.example', authorization: `Bearer ${victim.token}`, ...forwarded }
    const { status, text: body } = await ask('GET', `/presentations/${made.id}`, headers)
    expect([status, body]).toEqual([200, expect.not.stringContaining('evil.example')])
    expect(JSON.parse(body).links.self).toBe(
      `https://decks.example/api/v1/presentations/${made.id}`,
    )
  }
})

test('an allowed page is told before it asks what it may send, and reads what it must know', async () => {
  const origin = 'https://app.example'
  for (const [method, path] of [
    ['POST', '/presentations'],
    ['PUT', `/presentations/${made.id}/outlines`],
    ['DELETE', '/session'],
    ['GET', '/nothing'],
  ] as const) {
    const preflight = await ask('OPTIONS', path, {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization,content-type,idempotency-key,last-event-id',
    })
    expect([preflight.status, preflight.text]).toEqual([204, ''])
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'Authorization, Content-Type, Idempotency-Key, Last-Event-ID',
    })
    expect(preflight.headers['access-control-allow-methods']?.split(', ')).toContain(method)
  }
  const exposed =
    'Location, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Idempotency-Replayed, Content-Disposition'
  const authorization = `Bearer ${victim.token}`
  for (const [path, headers, status] of [
    [`/presentations/${made.id}`, { authorization }, 200],
    [`/presentations/${made.id}/download`, { authorization }, 409],
    ['/presentations', {}, 401],
    ['/nothing', { authorization }, 404],
    ['/%zz', {}, 404],
  ] as [string, Record<string, string>, number][]) {
    const answer = await ask('GET', path, { origin, ...headers })
    expect(answer.status).toBe(path === '/%zz' ? 400 : status)
    if (path === '/%zz') continue
    expect(answer.headers['access-control-expose-headers'], path).toBe(exposed)
    expect(answer.headers['access-control-allow-origin'], path).toBe(origin)
    expect(answer.headers.vary, path).toMatch(/\bOrigin\b/)
  }
})

const ticketOf = async (user: User, id: string, at?: string) => {
  const { status, body } = await user.api(`/presentations/${id}/ticket`, {
    method: 'POST',
    ...(at && { at }),
  })
  expect({ status, body }).toMatchObject({
    status: 200,
    body: { ticket: expect.any(String), expires_in: 60 },
  })
  return body.ticket as string
}
const withTicket = (ticket: string, id = made.id, at = world.url) =>
  openReader(`${at}/api/v1/presentations/${id}/events?ticket=${encodeURIComponent(ticket)}`)
const closed = (readers: Reader[]) => readers.forEach((reader) => void reader.close())

test('of many uses of one ticket at once, on two replicas, one opens a stream', async () => {
  const urls = world.gateways.map(({ url }) => url)
  for (let round = 0; round < 5; round++) {
    const ticket = await ticketOf(victim, made.id)
    const readers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => withTicket(ticket, made.id, urls[i % 2])),
    )
    expect(readers.map(({ status }) => status).sort()).toEqual([200, ...Array(11).fill(401)])
    const [opened] = readers.filter(({ status }) => status === 200)
    expect((await opened?.expectNext('queued'))?.id).toBe(1)
    closed(readers)
  }
})

test('a ticket opens its own presentation only, as itself, in time, and nothing but events', async () => {
  const other = await victim.accept()
  const theirs = await mallory.accept()
  const refusedAs = async (ticket: string, id?: string) => {
    const reader = await withTicket(ticket, id)
    expectProblem(
      { status: reader.status, headers: reader.headers as HeaderValues, text: await reader.body },
      401,
      ticket,
    )
  }
  const ticket = await ticketOf(victim, made.id)
  for (const id of [other.id, theirs.id, crypto.randomUUID(), 'no-id']) await refusedAs(ticket, id)
  for (const bent of [
    `${ticket}x`,
    ticket.slice(0, -1),
    ticket.toUpperCase(),
    '',
    ' ',
    "' or 1=1 --",
    '%00',
    'x'.repeat(20_000),
  ]) {
    await refusedAs(bent)
  }
  for (const path of ['', '/download', '/outlines']) {
    expectProblem(
      await toAnswer(
        await fetch(`${world.url}/api/v1/presentations/${made.id}${path}?ticket=${ticket}`),
      ),
      401,
      path,
    )
  }
  const twice = await fetch(
    `${world.url}/api/v1/presentations/${made.id}/events?ticket=${ticket}&ticket=${ticket}`,
  )
  expectProblem(await toAnswer(twice), 401, 'twice')
  const beside = await openReader(
    `${world.url}/api/v1/presentations/${made.id}/events?ticket=${ticket}`,
    { token: 'x.y.z' },
  )
  expect(beside.status).toBe(401)
  // All of that has not used it up; time does.
  const reader = await withTicket(ticket)
  expect(reader.status).toBe(200)
  reader.close()
  const late = await ticketOf(victim, made.id)
  await world.query("update gateway.tickets set expires_at = now() - interval '1 ms'")
  await refusedAs(late)
  expect(await mallory.api(`/presentations/${made.id}/ticket`, { method: 'POST' })).toMatchObject({
    status: 404,
  })
})

test('a ticket dies with its presentation, and its stream with the token it was made from', async () => {
  const gone = await victim.accept()
  const ticket = await ticketOf(victim, gone.id)
  expect(await victim.api(`/presentations/${gone.id}`, { method: 'DELETE' })).toMatchObject({
    status: 204,
  })
  expect((await withTicket(ticket, gone.id)).status).toBeOneOf([401, 404])

  const token = await world.sign({ sub: victim.sub, expiresInSeconds: 3 })
  const answer = await fetch(`${world.url}/api/v1/presentations/${made.id}/ticket`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  const short = ((await answer.json()) as { ticket: string }).ticket
  const reader = await withTicket(short)
  expect(reader.status).toBe(200)
  const events = await reader.rest()
  expect(events.at(-1)).toMatchObject({
    id: undefined,
    event: 'response',
    data: { type: 'status', code: 'TOKEN_EXPIRED' },
  })
  expect(await reader.ended).toBe('clean')
})

test('a stream whose token expires in the middle ends cleanly, and goes on with a new token where it was', async () => {
  const dying = await world.sign({ sub: victim.sub, expiresInSeconds: 2 })
  const path = `${world.url}/api/v1/presentations/${made.id}/events`
  const readers = await Promise.all([
    openReader(path, { token: dying }),
    openReader(path, { headers: { cookie: `gateway_session=${dying}` } }),
  ])
  for (const reader of readers) {
    expect(reader.status).toBe(200)
    const events = await reader.rest()
    expect(events.map(({ data }) => data.code ?? data.type)).toEqual(['queued', 'TOKEN_EXPIRED'])
    expect(events.at(-1)?.id).toBeUndefined()
    expect(await reader.ended).toBe('clean')
  }
  const again = await victim.follow(made.id, { lastEventId: 1 })
  expect(again.status).toBe(200)
  expect(await victim.api(`/presentations/${made.id}/cancel`, { method: 'POST' })).toMatchObject({
    status: 202,
  })
  expect((await again.rest()).map(({ id, data }) => [id, data.code])).toEqual([[2, 'CANCELLED']])
})
