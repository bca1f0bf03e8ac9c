// Who calls, from sign-in to file: every kind of key a token can be checked with, the cookie for
// browsers, tickets for streams from elsewhere, and tokens that end before the stream does.

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
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

test('a deck is made with a token of each kind of key, and a token of another kind opens nothing', async () => {
  const issuer = await openTokenIssuer()
  const pair = await createKeyPairSigner('EdDSA')
  const signers: Sign[] = [world.sign, issuer.sign, pair.sign]
  const none = { AUTH_JWT_SECRET: '' }
  const replicas = [
    world.gateways[0]!,
    await world.openReplica({ ...none, ...issuer.env }),
    await world.openReplica({ ...none, ...pair.env }),
  ]
  for (const [index, sign] of signers.entries()) {
    const user = await world.user('somebody', { sign })
    const statuses = await Promise.all(
      replicas.map(async ({ url }) => (await user.post(brief, {}, url)).status),
    )
    expect(statuses).toEqual(replicas.map((_, other) => (other === index ? 202 : 401)))
    const at = replicas[index]!.url
    const { body } = await user.api('/presentations', { at })
    expect(await user.settled(body.items[0].id, at)).toMatchObject({ status: 'completed' })
  }
  await world.closeReplicas()
  await issuer.close()
  await world.openReplica()
})

test("with the cookie the browser's own EventSource and plain links work, and only trusted pages may change anything", async () => {
  const user = await world.user()
  const opened = await user.api('/session', { method: 'POST' })
  expect(opened.status).toBe(204)
  const [cookie] = opened.headers.getSetCookie()
  expect(cookie).toMatch(/^gateway_session=[^;]+;/)
  for (const attribute of ['HttpOnly', 'SameSite=Lax', 'Path=/'])
    expect(cookie).toContain(attribute)
  expect(cookie).not.toContain('Secure')
  const headers = { cookie: cookie!.split(';')[0]! }

  const { id } = await user.accept()
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

  const post = async (from: Record<string, string>) => {
    const sent = await fetch(`${world.url}/api/v1/presentations`, {
      method: 'POST',
      headers: { ...headers, ...from, 'content-type': 'application/json' },
      body: JSON.stringify(brief),
    })
    const body = (await sent.json()) as { id?: string; code?: string }
    if (body.id) await user.settled(body.id)
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
  // A bad token is never rescued by a good cookie.
  expect(
    await post({ authorization: 'Bearer x.y.z', origin: 'https://app.example' }),
  ).toMatchObject({ status: 401 })
})

test('a ticket opens one stream, of its presentation alone; the next one goes on where it ended', async () => {
  const user = await world.user()
  const { id } = await user.make()
  const other = await user.make()
  const ticketOf = async (of: string) => {
    const { status, body } = await user.api(`/presentations/${of}/ticket`, { method: 'POST' })
    expect({ status, body }).toMatchObject({ body: { ticket: expect.any(String), expires_in: 60 } })
    expect(status).toBeLessThan(300)
    return body.ticket as string
  }
  const open = (of: string, ticket: string, more = '') =>
    openReader(
      `${world.url}/api/v1/presentations/${of}/events?ticket=${encodeURIComponent(ticket)}${more}`,
    )

  const ticket = await ticketOf(id)
  const reader = await open(id, ticket)
  const log = await reader.rest()
  readLog(log)
  expect((await open(id, ticket)).status).toBe(401)
  expect((await open(other.id, await ticketOf(id))).status).toBeGreaterThanOrEqual(401)
  const resumed = await open(id, await ticketOf(id), `&last_event_id=${log.length - 2}`)
  expect((await resumed.rest()).map((event) => event.id)).toEqual([log.length - 1, log.length])
  // It is good for streams only.
  const misused = await fetch(
    `${world.url}/api/v1/presentations/${id}?ticket=${encodeURIComponent(await ticketOf(id))}`,
  )
  expect(misused.status).toBe(401)
})

test('a stream whose token ends is told so and closed whole, and a new token goes on from there', async () => {
  const { gates } = world.presenton
  gates.hold('slides:slide')
  const user = await world.user()
  const { id } = await user.accept()
  await gates.arrived('slides:slide')
  const again = await world.user('the same', { sub: user.sub, expiresInSeconds: 1 })
  const reader = await again.follow(id)
  const read = await reader.rest()
  expect(await reader.ended).toBe('clean')
  expect(read.pop()).toMatchObject({
    id: undefined,
    event: 'response',
    data: { type: 'status', code: 'TOKEN_EXPIRED' },
  })
  gates.release('slides:slide')
  const resumed = await user.follow(id, { lastEventId: read.at(-1)!.id! })
  expect(readLog([...read, ...(await resumed.rest())]).terminal.type).toBe('complete')
})

test('a token in a query is refused, however it is named', async () => {
  const user = await world.user()
  for (const name of ['access_token', 'token', 'jwt', 'x']) {
    const answer = await fetch(`${world.url}/api/v1/presentations?${name}=${user.token}`)
    expect(answer.status).toBe(401)
  }
})
