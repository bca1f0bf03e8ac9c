// Session cookies and tickets: other users and other origins can't use them. Also CORS: what pages
// of allowed origins may send and read.

import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { misusedCredentials } from './misused-credentials.ts'
import { expectProblem, type HeaderValues, readResponse } from './response-checks.ts'
import type { Presentation, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let victim: User
let mallory: User
let presentation: Presentation
beforeAll(async () => {
  const env = {
    PUBLIC_URL: 'https://decks.example',
    CORS_ORIGINS: 'https://app.example',
    WORKER: 'false',
  }
  world = await openWorld({ env, replicas: 2 })
  ;[victim, mallory] = [await world.createUser('victim'), await world.createUser('mallory')]
  presentation = await victim.submit()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

/** Sends a request that fetch does not allow: with any Host, and with repeated headers. */
function send(
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
    const outgoing = request(
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
    outgoing.once('error', reject).end(body)
  })
}

test.each(misusedCredentials)(
  "refuses another user's valid credentials: $name",
  async ({ method = 'GET', path, headers, body, status }) => {
    const fill = (given: string) =>
      given.replace('{id}', presentation.id).replace('{token}', victim.token)
    const own = { token: victim.token, cookie: `__Host-gateway_session=${victim.token}` }
    const response = await send(method, fill(path), headers?.(own), body && fill(body))
    expectProblem(response, status, path)
    expect(response.headers['set-cookie']).toBeUndefined()
    // Pages of other origins may not read the response.
    expect(response.headers['access-control-allow-origin']).toBeUndefined()
  },
)

test('the refused requests changed nothing', async () => {
  expect(await victim.read(presentation.id)).toEqual(presentation)
  expect((await victim.api('/presentations')).body.items).toHaveLength(1)
})

test('links use PUBLIC_URL, not the Host of the request', async () => {
  for (const forwarded of [
    {},
    {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example',
    },
  ]) {
    const headers = { host: 'evil.example', authorization: `Bearer ${victim.token}`, ...forwarded }
    const { status, text: body } = await send('GET', `/presentations/${presentation.id}`, headers)
    expect([status, body]).toEqual([200, expect.not.stringContaining('evil.example')])
    expect(JSON.parse(body).links.self).toBe(
      `https://decks.example/api/v1/presentations/${presentation.id}`,
    )
  }
})

test('an allowed origin may send the needed headers and read the documented ones', async () => {
  const origin = 'https://app.example'
  for (const [method, path] of [
    ['POST', '/presentations'],
    ['PUT', `/presentations/${presentation.id}/outlines`],
    ['DELETE', '/session'],
    ['GET', '/nothing'],
  ] as const) {
    const preflight = await send('OPTIONS', path, {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization,content-type,idempotency-key,last-event-id',
    })
    expect([preflight.status, preflight.text]).toEqual([204, ''])
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': expect.stringMatching(
        /^Authorization, Content-Type, Idempotency-Key, Last-Event-ID, .*\btraceparent, tracestate, baggage, sentry-trace$/,
      ),
    })
    expect(preflight.headers['access-control-allow-methods']?.split(', ')).toContain(method)
  }
  const exposed =
    'Location, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Idempotency-Replayed, Content-Disposition, ETag, WWW-Authenticate'
  const authorization = `Bearer ${victim.token}`
  for (const [path, headers, status] of [
    [`/presentations/${presentation.id}`, { authorization }, 200],
    [`/presentations/${presentation.id}/download`, { authorization }, 409],
    ['/presentations', {}, 401],
    ['/nothing', { authorization }, 404],
    ['/%zz', {}, 400],
  ] as [string, Record<string, string>, number][]) {
    const response = await send('GET', path, { origin, ...headers })
    expect(response.status).toBe(status)
    // A malformed path is refused before CORS applies.
    if (path === '/%zz') continue
    expect(response.headers['access-control-expose-headers'], path).toBe(exposed)
    expect(response.headers['access-control-allow-origin'], path).toBe(origin)
    expect(response.headers.vary, path).toMatch(/\bOrigin\b/)
  }
})

const createTicket = async (user: User, id: string, baseUrl?: string) => {
  const { status, body } = await user.api(`/presentations/${id}/ticket`, {
    method: 'POST',
    ...(baseUrl && { baseUrl }),
  })
  expect({ status, body }).toMatchObject({
    status: 200,
    body: { ticket: expect.any(String), expires_in: 60 },
  })
  return body.ticket as string
}
const withTicket = (ticket: string, id = presentation.id, baseUrl = world.url) =>
  openReader(`${baseUrl}/api/v1/presentations/${id}/events?ticket=${encodeURIComponent(ticket)}`)

test('of many concurrent uses of a ticket, on two replicas, one opens a stream', async () => {
  const urls = world.gateways.map(({ url }) => url)
  for (let round = 0; round < 5; round++) {
    const ticket = await createTicket(victim, presentation.id)
    const readers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => withTicket(ticket, presentation.id, urls[i % 2])),
    )
    expect(readers.map(({ status }) => status).sort()).toEqual([200, ...Array(11).fill(401)])
    const [opened] = readers.filter(({ status }) => status === 200)
    expect((await opened?.expectNext('queued'))?.id).toBe(1)
    for (const reader of readers) reader.close()
  }
})

test('a ticket opens only the events of its presentation, unchanged and before it expires', async () => {
  const other = await victim.submit()
  const foreign = await mallory.submit()
  const expectRefused = async (ticket: string, id?: string) => {
    const reader = await withTicket(ticket, id)
    expectProblem(
      { status: reader.status, headers: reader.headers as HeaderValues, text: await reader.body },
      401,
      ticket,
    )
  }
  const ticket = await createTicket(victim, presentation.id)
  for (const id of [other.id, foreign.id, crypto.randomUUID(), 'no-id'])
    await expectRefused(ticket, id)
  for (const changed of [
    `${ticket}x`,
    ticket.slice(0, -1),
    ticket.toUpperCase(),
    '',
    ' ',
    "' or 1=1 --",
    '%00',
    'x'.repeat(20_000),
  ]) {
    await expectRefused(changed)
  }
  for (const path of ['', '/download', '/outlines']) {
    expectProblem(
      await readResponse(
        await fetch(`${world.url}/api/v1/presentations/${presentation.id}${path}?ticket=${ticket}`),
      ),
      401,
      path,
    )
  }
  const twice = await fetch(
    `${world.url}/api/v1/presentations/${presentation.id}/events?ticket=${ticket}&ticket=${ticket}`,
  )
  expectProblem(await readResponse(twice), 401, 'twice')
  const withInvalidToken = await openReader(
    `${world.url}/api/v1/presentations/${presentation.id}/events?ticket=${ticket}`,
    { token: 'x.y.z' },
  )
  expect(withInvalidToken.status).toBe(401)
  // Refused uses leave the ticket valid. It ends with its first use or its expiry.
  const reader = await withTicket(ticket)
  expect(reader.status).toBe(200)
  reader.close()
  const expired = await createTicket(victim, presentation.id)
  await world.query("update gateway.tickets set expires_at = now() - interval '1 ms'")
  await expectRefused(expired)
  expect(
    await mallory.api(`/presentations/${presentation.id}/ticket`, { method: 'POST' }),
  ).toMatchObject({
    status: 404,
  })
})

test('a ticket ends with its presentation, and its stream with the token that requested it', async () => {
  const deleted = await victim.submit()
  const ticket = await createTicket(victim, deleted.id)
  expect(await victim.api(`/presentations/${deleted.id}`, { method: 'DELETE' })).toMatchObject({
    status: 204,
  })
  expect((await withTicket(ticket, deleted.id)).status).toBeOneOf([401, 404])

  const token = await world.sign({ sub: victim.sub, expiresInSeconds: 3 })
  const response = await fetch(`${world.url}/api/v1/presentations/${presentation.id}/ticket`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  const shortTicket = ((await response.json()) as { ticket: string }).ticket
  const reader = await withTicket(shortTicket)
  expect(reader.status).toBe(200)
  const events = await reader.rest()
  expect(events.at(-1)).toMatchObject({
    id: undefined,
    event: 'response',
    data: { type: 'status', code: 'TOKEN_EXPIRED' },
  })
  expect(await reader.ended).toBe('clean')
})

test('a stream whose token expires ends cleanly, and resumes with a new token', async () => {
  const expiring = await world.sign({ sub: victim.sub, expiresInSeconds: 2 })
  const path = `${world.url}/api/v1/presentations/${presentation.id}/events`
  const readers = await Promise.all([
    openReader(path, { token: expiring }),
    openReader(path, { headers: { cookie: `__Host-gateway_session=${expiring}` } }),
  ])
  for (const reader of readers) {
    expect(reader.status).toBe(200)
    const events = await reader.rest()
    expect(events.map(({ data }) => data.code ?? data.type)).toEqual(['queued', 'TOKEN_EXPIRED'])
    expect(events.at(-1)?.id).toBeUndefined()
    expect(await reader.ended).toBe('clean')
  }
  const resumed = await victim.subscribe(presentation.id, { lastEventId: 1 })
  expect(resumed.status).toBe(200)
  expect(
    await victim.api(`/presentations/${presentation.id}/cancel`, { method: 'POST' }),
  ).toMatchObject({
    status: 202,
  })
  expect((await resumed.rest()).map(({ id, data }) => [id, data.code])).toEqual([[2, 'CANCELLED']])
})
