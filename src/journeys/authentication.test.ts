// Who calls: forged tokens against gateways with each of the three kinds of key, and what happens
// when the issuer of the keys changes them, slows down or is away.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createKeyPairSigner, openTokenIssuer, type TokenIssuer } from '../sandbox/tokens.ts'
import { expectProblem, toAnswer } from './attack-shape.ts'
import { type Forge, type Forgery, forgedTokens, ownJwk } from './forged-tokens.ts'
import { openWorld, type World } from './world.ts'

let world: World
let issuer: TokenIssuer
let ownKeys: Server
let ownKeysAsked = 0
let forge: Forge
let urls: Record<Forgery['at'], string>

const without = { AUTH_JWT_SECRET: undefined }

/** A gateway whose keys come from this issuer. */
async function openWith(from: TokenIssuer) {
  return world.openReplica({ ...without, ...from.env })
}

beforeAll(async () => {
  ownKeys = createServer((_request, response) => {
    ownKeysAsked += 1
    response.end(JSON.stringify({ keys: [{ ...ownJwk, kid: 'mine', alg: 'RS256', use: 'sig' }] }))
  })
  await new Promise<void>((resolve) => ownKeys.listen(0, '127.0.0.1', resolve))
  issuer = await openTokenIssuer()
  const pair = await createKeyPairSigner()
  const claimed = { AUTH_ISSUER: issuer.issuer, AUTH_AUDIENCE: issuer.audience }
  world = await openWorld({ env: { WORKER: 'false', ...claimed } })
  const [byKeySet, byPublicKey] = await Promise.all([
    openWith(issuer),
    world.openReplica({ ...without, ...pair.env, ...claimed }),
  ])
  urls = { 'key set': byKeySet.url, 'public key': byPublicKey.url, secret: world.url }
  const kid = JSON.parse(
    Buffer.from((await issuer.sign({ sub: 'x' })).split('.')[0] ?? '', 'base64url').toString(),
  ).kid as string
  forge = {
    ...{ issuer: issuer.issuer, audience: issuer.audience, publicKeyPem: pair.publicKeyPem, kid },
    ownKeysUrl: `http://127.0.0.1:${(ownKeys.address() as AddressInfo).port}/keys`,
    ...{ issued: issuer.sign, signed: pair.sign, keyed: world.sign },
  }
})
afterEach(() => world.expectNothingLeft())
afterAll(async () => {
  await world.close()
  await issuer.close()
  await new Promise((resolve) => ownKeys.close(resolve))
})

const list = (url: string, headers: Record<string, string>) =>
  fetch(`${url}/api/v1/presentations`, { headers })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test('each gateway lets its own users in, so that what follows is refused for what it is', async () => {
  const claims = { sub: 'victim', iss: issuer.issuer, aud: ['other', issuer.audience] }
  for (const [at, sign] of [
    ['key set', forge.issued],
    ['public key', forge.signed],
    ['secret', forge.keyed],
  ] as const) {
    expect((await list(urls[at], bearer(await sign(claims)))).status, at).toBe(200)
  }
})

test.each(forgedTokens)('a forged token opens nothing: $name', async ({ at, token }) => {
  const forged = await token(forge)
  expectProblem(await toAnswer(await list(urls[at], bearer(forged))), 401, 'as Bearer')
  expectProblem(
    await toAnswer(await list(urls[at], { cookie: `gateway_session=${forged}` })),
    401,
    'as cookie',
  )
  const session = await fetch(`${urls[at]}/api/v1/session`, {
    method: 'POST',
    headers: bearer(forged),
  })
  expectProblem(await toAnswer(session), 401, 'as a session')
  expect(session.headers.get('set-cookie')).toBeNull()
})

test('no key was fetched from where a token said, and unknown key ids asked the issuer once or twice at most', () => {
  expect(ownKeysAsked).toBe(0)
  expect(issuer.requests.length).toBeLessThanOrEqual(2)
})

test('users of a rotated key are let in at once, those of the old one as long as it is published', async () => {
  const rotating = await openTokenIssuer()
  const gateway = await openWith(rotating)
  const old = await rotating.sign({ sub: 'alice' })
  expect((await list(gateway.url, bearer(old))).status).toBe(200)
  await rotating.rotate()
  const fresh = await rotating.sign({ sub: 'alice' })
  const answers = await Promise.all(
    [fresh, fresh, fresh, old, fresh].map((token) => list(gateway.url, bearer(token))),
  )
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  expect(rotating.requests).toHaveLength(2)
  await world.closeReplica(gateway)
  await rotating.close()
})

test('without its issuer a gateway that never saw the keys says 503, one that did goes on, and both recover', async () => {
  const away = await openTokenIssuer()
  const [knowing, starting] = [await openWith(away), await openWith(away)]
  const token = await away.sign({ sub: 'alice' })
  expect((await list(knowing.url, bearer(token))).status).toBe(200)
  await away.down()
  expect((await list(knowing.url, bearer(token))).status).toBe(200)
  const refused = expectProblem(
    await toAnswer(await list(starting.url, bearer(token))),
    503,
    'no keys',
  )
  expect(refused.code).toBe('AUTHENTICATION_UNAVAILABLE')
  // What is no token at all is refused by itself.
  expectProblem(await toAnswer(await list(starting.url, bearer('x.y.z'))), 401, 'no token')
  const stream = await fetch(`${starting.url}/api/v1/presentations/${crypto.randomUUID()}/events`, {
    headers: { ...bearer(token), accept: 'text/event-stream' },
  })
  expect([stream.status, await stream.text()]).toEqual([
    200,
    expect.stringMatching(/^retry: \d+\n\n$/),
  ])
  await away.up()
  await expect
    .poll(async () => (await list(starting.url, bearer(token))).status, { timeout: 5_000 })
    .toBe(200)
  for (const gateway of [knowing, starting]) await world.closeReplica(gateway)
  await away.close()
})

test('an issuer that answers too slowly is away, and holds up nobody whose key is known', {
  timeout: 20_000,
}, async () => {
  const slow = await openTokenIssuer()
  const gateway = await openWith(slow)
  const known = await slow.sign({ sub: 'alice' })
  expect((await list(gateway.url, bearer(known))).status).toBe(200)
  const stalled = slow.injectFault({ kind: 'stall' })
  const unknown = list(gateway.url, bearer(await slow.sign({ sub: 'bob' }, { kid: 'unheard-of' })))
  await expect.poll(() => stalled.hits.length).toBe(1)
  const asked = performance.now()
  expect((await list(gateway.url, bearer(known))).status).toBe(200)
  expect(performance.now() - asked).toBeLessThan(1_000)
  const problem = expectProblem(await toAnswer(await unknown), 503, 'too slow')
  expect(problem.code).toBe('AUTHENTICATION_UNAVAILABLE')
  stalled.release()
  await world.closeReplica(gateway)
  await slow.close()
})
