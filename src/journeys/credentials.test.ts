// Credentials from the request to the file: tokens of each kind of key, the session cookie,
// tickets, and tokens that expire during a stream.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { createKeyPairSigner, openTokenIssuer, type Sign } from '../sandbox/tokens.ts'
import { readLog } from './event-log-rules.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ env: { CORS_ORIGINS: 'https://app.example' } })
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

test('accepts tokens of the configured kind of key, and refuses the other kinds', async () => {
  const issuer = await openTokenIssuer()
  const pair = await createKeyPairSigner('EdDSA')
  const signers: Sign[] = [world.sign, issuer.sign, pair.sign]
  const withoutSecret = { AUTH_JWT_SECRET: '' }
  const replicas = [
    world.gateways[0]!,
    await world.openReplica({ ...withoutSecret, ...issuer.env }),
    await world.openReplica({ ...withoutSecret, ...pair.env }),
  ]
  for (const [index, sign] of signers.entries()) {
    const user = await world.createUser('user', { sign })
    const statuses = await Promise.all(
      replicas.map(async ({ url }) => (await user.post(brief, {}, url)).status),
    )
    expect(statuses).toEqual(replicas.map((_, other) => (other === index ? 202 : 401)))
    const baseUrl = replicas[index]!.url
    const { body } = await user.api('/presentations', { baseUrl })
    expect(await user.waitUntilSettled(body.items[0].id, baseUrl)).toMatchObject({
      status: 'completed',
    })
  }
  await world.closeReplicas()
  await issuer.close()
  await world.openReplica()
})

test('the cookie works for EventSource and links, and for writes only from trusted origins', async () => {
  const user = await world.createUser()
  const opened = await user.api('/session', { method: 'POST' })
  expect(opened.status).toBe(204)
  const [cookie] = opened.headers.getSetCookie()
  expect(cookie).toMatch(/^gateway_session=[^;]+;/)
  for (const attribute of ['HttpOnly', 'SameSite=Lax', 'Path=/'])
    expect(cookie).toContain(attribute)
  expect(cookie).not.toContain('Secure')
  const headers = { cookie: cookie!.split(';')[0]! }

  const { id } = await user.submit()
  const reader = await openReader(`${world.url}/api/v1/presentations/${id}/events`, { headers })
  readLog(await reader.rest())
  const link = await fetch(`${world.url}/api/v1/presentations/${id}/download`, {
    headers,
    redirect: 'follow',
  })
  expect(link.status).toBe(200)
  expect(
    Buffer.from(await link.arrayBuffer())
      .subarray(0, 2)
      .toString(),
  ).toBe('PK')

  const post = async (originHeaders: Record<string, string>) => {
    const sent = await fetch(`${world.url}/api/v1/presentations`, {
      method: 'POST',
      headers: { ...headers, ...originHeaders, 'content-type': 'application/json' },
      body: JSON.stringify(brief),
    })
    const body = (await sent.json()) as { id?: string; code?: string }
    if (body.id) await user.waitUntilSettled(body.id)
    return { status: sent.status, code: body.code }
  }
  expect(await post({})).toEqual({ status: 403, code: 'PERMISSION_DENIED' })
  expect(await post({ origin: 'https://evil.example' })).toEqual({
    status: 403,
    code: 'PERMISSION_DENIED',
  })
  expect(await post({ origin: 'null' })).toEqual({ status: 403, code: 'PERMISSION_DENIED' })
  expect(await post({ 'sec-fetch-site': 'cross-site' })).toEqual({
    status: 403,
    code: 'PERMISSION_DENIED',
  })
  expect(await post({ 'sec-fetch-site': 'same-origin' })).toMatchObject({ status: 202 })
  expect(await post({ origin: `http://localhost:${new URL(world.url).port}` })).toMatchObject({
    status: 202,
  })
  expect(await post({ origin: 'https://app.example' })).toMatchObject({ status: 202 })
  // A valid cookie does not make up for an invalid token.
  expect(
    await post({ authorization: 'Bearer x.y.z', origin: 'https://app.example' }),
  ).toMatchObject({ status: 401 })
})

test('a ticket opens one stream of its presentation, and the next ticket resumes it', async () => {
  const user = await world.createUser()
  const { id } = await user.generate()
  const other = await user.generate()
  const createTicket = async (of: string) => {
    const { status, body } = await user.api(`/presentations/${of}/ticket`, { method: 'POST' })
    expect({ status, body }).toMatchObject({ body: { ticket: expect.any(String), expires_in: 60 } })
    expect(status).toBeLessThan(300)
    return body.ticket as string
  }
  const open = (of: string, ticket: string, query = '') =>
    openReader(
      `${world.url}/api/v1/presentations/${of}/events?ticket=${encodeURIComponent(ticket)}${query}`,
    )

  const ticket = await createTicket(id)
  const reader = await open(id, ticket)
  const log = await reader.rest()
  readLog(log)
  expect((await open(id, ticket)).status).toBe(401)
  expect((await open(other.id, await createTicket(id))).status).toBeGreaterThanOrEqual(401)
  const resumed = await open(id, await createTicket(id), `&last_event_id=${log.length - 2}`)
  expect((await resumed.rest()).map((event) => event.id)).toEqual([log.length - 1, log.length])
  // Other routes do not accept a ticket.
  const misused = await fetch(
    `${world.url}/api/v1/presentations/${id}?ticket=${encodeURIComponent(await createTicket(id))}`,
  )
  expect(misused.status).toBe(401)
})

test('a stream ends with TOKEN_EXPIRED when its token expires, and resumes with a new token', async () => {
  const { gates } = world.presenton
  gates.hold('slides:slide')
  const user = await world.createUser()
  const { id } = await user.submit()
  await gates.arrived('slides:slide')
  const expiring = await world.createUser('expiring', { sub: user.sub, expiresInSeconds: 1 })
  const reader = await expiring.subscribe(id)
  const read = await reader.rest()
  expect(await reader.ended).toBe('clean')
  expect(read.pop()).toMatchObject({
    id: undefined,
    event: 'response',
    data: { type: 'status', code: 'TOKEN_EXPIRED' },
  })
  gates.release('slides:slide')
  const resumed = await user.subscribe(id, { lastEventId: read.at(-1)!.id! })
  expect(readLog([...read, ...(await resumed.rest())]).terminal.type).toBe('complete')
})

test('returns 401 for a token in any query parameter', async () => {
  const user = await world.createUser()
  for (const name of ['access_token', 'token', 'jwt', 'x']) {
    const response = await fetch(`${world.url}/api/v1/presentations?${name}=${user.token}`)
    expect(response.status).toBe(401)
  }
})
