// Authentication: forged tokens against gateways with each of the three kinds of key, and an issuer
// that rotates its keys, is slow or is down.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createKeyPairSigner, openTokenIssuer, type TokenIssuer } from '../sandbox/tokens.ts'
import { type ForgerKnowledge, forgedTokens, forgerJwk, type KeyKind } from './forged-tokens.ts'
import { expectProblem, readResponse } from './response-checks.ts'
import { openWorld, type World } from './world.ts'

let world: World
let issuer: TokenIssuer
let attackerKeys: Server
let attackerKeyRequests = 0
let forger: ForgerKnowledge
let urls: Record<KeyKind, string>

const withoutSecret = { AUTH_JWT_SECRET: undefined }

/** Opens a gateway that trusts the keys of the issuer. */
async function openWithIssuer(trusted: TokenIssuer) {
  return world.openReplica({ ...withoutSecret, ...trusted.env })
}

beforeAll(async () => {
  attackerKeys = createServer((_request, response) => {
    attackerKeyRequests += 1
    response.end(
      JSON.stringify({ keys: [{ ...forgerJwk, kid: 'mine', alg: 'RS256', use: 'sig' }] }),
    )
  })
  await new Promise<void>((resolve) => attackerKeys.listen(0, '127.0.0.1', resolve))
  issuer = await openTokenIssuer()
  const pair = await createKeyPairSigner()
  const claimed = { AUTH_ISSUER: issuer.issuer, AUTH_AUDIENCE: issuer.audience }
  world = await openWorld({ env: { WORKER: 'false', ...claimed } })
  const [byKeySet, byPublicKey] = await Promise.all([
    openWithIssuer(issuer),
    world.openReplica({ ...withoutSecret, ...pair.env, ...claimed }),
  ])
  urls = { 'key set': byKeySet.url, 'public key': byPublicKey.url, secret: world.url }
  const kid = JSON.parse(
    Buffer.from((await issuer.sign({ sub: 'x' })).split('.')[0] ?? '', 'base64url').toString(),
  ).kid as string
  forger = {
    issuer: issuer.issuer,
    audience: issuer.audience,
    publicKeyPem: pair.publicKeyPem,
    kid,
    forgerKeysUrl: `http://127.0.0.1:${(attackerKeys.address() as AddressInfo).port}/keys`,
    signByIssuer: issuer.sign,
    signByKeyPair: pair.sign,
    signBySecret: world.sign,
  }
})
afterEach(() => world.expectNoLeaks())
afterAll(async () => {
  await world.close()
  await issuer.close()
  await new Promise((resolve) => attackerKeys.close(resolve))
})

const list = (url: string, headers: Record<string, string>) =>
  fetch(`${url}/api/v1/presentations`, { headers })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

// A control: the tests below must not pass because every token is refused.
test('each gateway accepts valid tokens of its own kind of key', async () => {
  const claims = { sub: 'victim', iss: issuer.issuer, aud: ['other', issuer.audience] }
  for (const [keyKind, sign] of [
    ['key set', forger.signByIssuer],
    ['public key', forger.signByKeyPair],
    ['secret', forger.signBySecret],
  ] as const) {
    expect((await list(urls[keyKind], bearer(await sign(claims)))).status, keyKind).toBe(200)
  }
})

test.each(forgedTokens)('returns 401 for a forged token: $name', async ({ keyKind, token }) => {
  const forged = await token(forger)
  expectProblem(await readResponse(await list(urls[keyKind], bearer(forged))), 401, 'as Bearer')
  expectProblem(
    await readResponse(await list(urls[keyKind], { cookie: `gateway_session=${forged}` })),
    401,
    'as cookie',
  )
  const session = await fetch(`${urls[keyKind]}/api/v1/session`, {
    method: 'POST',
    headers: bearer(forged),
  })
  expectProblem(await readResponse(session), 401, 'as a session')
  expect(session.headers.get('set-cookie')).toBeNull()
})

test("fetched no key from a token's own URL, and at most twice from the issuer for unknown key ids", () => {
  expect(attackerKeyRequests).toBe(0)
  expect(issuer.requests.length).toBeLessThanOrEqual(2)
})

test('accepts tokens of a new key at once, and of the old key while it is published', async () => {
  const rotating = await openTokenIssuer()
  const gateway = await openWithIssuer(rotating)
  const old = await rotating.sign({ sub: 'alice' })
  expect((await list(gateway.url, bearer(old))).status).toBe(200)
  await rotating.rotate()
  const fresh = await rotating.sign({ sub: 'alice' })
  const responses = await Promise.all(
    [fresh, fresh, fresh, old, fresh].map((token) => list(gateway.url, bearer(token))),
  )
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  expect(rotating.requests).toHaveLength(2)
  await world.closeReplica(gateway)
  await rotating.close()
})

test('during an outage of the issuer, cached keys still work, without keys it returns 503, and both recover', async () => {
  const unreachable = await openTokenIssuer()
  const [withKeys, withoutKeys] = [
    await openWithIssuer(unreachable),
    await openWithIssuer(unreachable),
  ]
  const token = await unreachable.sign({ sub: 'alice' })
  expect((await list(withKeys.url, bearer(token))).status).toBe(200)
  await unreachable.down()
  expect((await list(withKeys.url, bearer(token))).status).toBe(200)
  const refused = expectProblem(
    await readResponse(await list(withoutKeys.url, bearer(token))),
    503,
    'no keys',
  )
  expect(refused.code).toBe('AUTHENTICATION_UNAVAILABLE')
  // A malformed token needs no keys to be refused.
  expectProblem(await readResponse(await list(withoutKeys.url, bearer('x.y.z'))), 401, 'malformed')
  const stream = await fetch(
    `${withoutKeys.url}/api/v1/presentations/${crypto.randomUUID()}/events`,
    {
      headers: { ...bearer(token), accept: 'text/event-stream' },
    },
  )
  expect([stream.status, await stream.text()]).toEqual([
    200,
    expect.stringMatching(/^retry: \d+\n\n$/),
  ])
  await unreachable.up()
  await expect
    .poll(async () => (await list(withoutKeys.url, bearer(token))).status, { timeout: 20_000 })
    .toBe(200)
  for (const gateway of [withKeys, withoutKeys]) await world.closeReplica(gateway)
  await unreachable.close()
})

test('a slow issuer causes 503 for unknown keys, and no delay for known ones', {
  timeout: 120_000,
}, async () => {
  const slow = await openTokenIssuer()
  const gateway = await openWithIssuer(slow)
  const known = await slow.sign({ sub: 'alice' })
  expect((await list(gateway.url, bearer(known))).status).toBe(200)
  const stalled = slow.injectFault({ kind: 'stall' })
  const unknown = list(gateway.url, bearer(await slow.sign({ sub: 'bob' }, { kid: 'unheard-of' })))
  await expect.poll(() => stalled.hits.length).toBe(1)
  let isRefused = false
  const refused = unknown.finally(() => (isRefused = true))
  expect((await list(gateway.url, bearer(known))).status).toBe(200)
  expect(isRefused).toBe(false)
  const problem = expectProblem(await readResponse(await refused), 503, 'too slow')
  expect(problem.code).toBe('AUTHENTICATION_UNAVAILABLE')
  stalled.release()
  await world.closeReplica(gateway)
  await slow.close()
})
