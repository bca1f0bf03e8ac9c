// Keys of a remote issuer over real sockets: rotation, outages, unknown key ids. Each test moves
// its own clock.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { openFaultServer } from '../sandbox/fault-server.ts'
import {
  createKeyPairSigner,
  createSecretSigner,
  openTokenIssuer,
  type TokenIssuer,
} from '../sandbox/tokens.ts'
import { createTokenVerifier, type TokenVerifier } from './tokens.ts'

let issuer: TokenIssuer
let verify: TokenVerifier
let clockOffsetMs: number

beforeEach(async () => {
  issuer = await openTokenIssuer()
  clockOffsetMs = 0
  verify = verifierOf(issuer.jwksUrl)
})
afterEach(() => issuer.close())

function verifierOf(url: string) {
  const { issuer: name, audience } = issuer
  const auth = { keySources: [{ kind: 'jwks', url } as const], issuer: name, audience: [audience] }
  return createTokenVerifier(auth, { now: () => Date.now() + clockOffsetMs })
}

/** The user of the token, or the code of the problem. */
async function verifyResult(token: string): Promise<string> {
  try {
    return (await verify(token)).userId
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

const fetchCount = () => issuer.requests.length
const claims = { sub: 'alice', expiresInSeconds: 86_400 }

test('fetches the keys once for all first tokens, and caches them', async () => {
  expect(fetchCount()).toBe(0)
  const tokens = await Promise.all([
    issuer.sign(claims),
    issuer.sign(claims, { alg: 'ES256' }),
    issuer.sign(claims),
  ])
  expect(await Promise.all(tokens.map(verifyResult))).toEqual(['alice', 'alice', 'alice'])
  expect(await verifyResult(await issuer.sign(claims))).toBe('alice')
  expect(fetchCount()).toBe(1)
})

test('finds a rotated key with one more fetch', async () => {
  const before = await issuer.sign(claims)
  expect(await verifyResult(before)).toBe('alice')
  await issuer.rotate()
  expect(await verifyResult(await issuer.sign(claims))).toBe('alice')
  expect(await verifyResult(before)).toBe('alice')
  expect(fetchCount()).toBe(2)
})

test('fetches at most once in 30 seconds for any number of unknown key ids', async () => {
  expect(await verifyResult(await issuer.sign(claims))).toBe('alice')
  const unknown = () => issuer.sign(claims, { kid: crypto.randomUUID() })
  for (let i = 0; i < 5; i++)
    expect(await verifyResult(await unknown())).toBe('AUTHENTICATION_FAILED')
  const many = await Promise.all(Array.from({ length: 20 }, unknown))
  expect(new Set(await Promise.all(many.map(verifyResult)))).toEqual(
    new Set(['AUTHENTICATION_FAILED']),
  )
  expect(fetchCount()).toBe(2)
  clockOffsetMs += 31_000
  expect(await verifyResult(await unknown())).toBe('AUTHENTICATION_FAILED')
  expect(fetchCount()).toBe(3)
})

test('refuses a withdrawn key after the next refresh', async () => {
  const old = await issuer.sign(claims)
  expect(await verifyResult(old)).toBe('alice')
  await issuer.rotate({ publishOld: false })
  expect(await verifyResult(old)).toBe('alice')
  clockOffsetMs += 11 * 60_000
  expect(await verifyResult(old)).toBe('AUTHENTICATION_FAILED')
})

test('accepts tokens with cached keys while the issuer is down', async () => {
  const token = await issuer.sign(claims)
  expect(await verifyResult(token)).toBe('alice')
  await issuer.down()
  clockOffsetMs += 3_600_000
  expect(await verifyResult(token)).toBe('alice')
})

test('waits only briefly for a slow refresh when the key is cached, and sends one request', async () => {
  const token = await issuer.sign(claims)
  expect(await verifyResult(token)).toBe('alice')
  const stalled = issuer.injectFault({ kind: 'stall' }, { times: 100 })
  clockOffsetMs += 11 * 60_000
  const startMs = performance.now()
  expect(await Promise.all([token, token, token].map(verifyResult))).toEqual([
    'alice',
    'alice',
    'alice',
  ])
  expect(await verifyResult(token)).toBe('alice')
  expect(performance.now() - startMs).toBeLessThan(3_000)
  expect(stalled.hits).toHaveLength(1)
  stalled.release()
})

test('returns 503 with Retry-After when the key is not cached and the issuer is down', async () => {
  const token = await issuer.sign(claims)
  await issuer.down()
  await expect(verify(token)).rejects.toMatchObject({
    code: 'AUTHENTICATION_UNAVAILABLE',
    retryAfterSeconds: expect.any(Number),
  })
  await issuer.up()
  clockOffsetMs += 1_001
  expect(await verifyResult(token)).toBe('alice')
  await issuer.down()
  const unknown = await issuer.sign(claims, { kid: 'new' })
  await expect(verify(unknown)).rejects.toMatchObject({
    code: 'AUTHENTICATION_UNAVAILABLE',
    retryAfterSeconds: 30,
  })
  await expect(verify(unknown)).rejects.toMatchObject({ code: 'AUTHENTICATION_UNAVAILABLE' })
})

test('keeps the fetch limit for unknown key ids while the issuer fails', async () => {
  expect(await verifyResult(await issuer.sign(claims))).toBe('alice')
  const fault = issuer.injectFault({ kind: 'status', status: 500 }, { times: 100 })
  const unknown = () => issuer.sign(claims, { kid: crypto.randomUUID() })
  for (let i = 0; i < 10; i++)
    expect(await verifyResult(await unknown())).toBe('AUTHENTICATION_UNAVAILABLE')
  expect(fault.hits).toHaveLength(1)
  clockOffsetMs += 31_000
  fault.release()
  expect(await verifyResult(await unknown())).toBe('AUTHENTICATION_FAILED')
})

test('treats a malformed key set as unavailable', async () => {
  for (const body of [
    '',
    'nonsense',
    '{}',
    '{"keys":{}}',
    '[]',
    'null',
    `{"keys":[],"x":"${'x'.repeat(1_100_000)}"}`,
  ]) {
    issuer.injectFault({ kind: 'status', status: 200, body })
    expect(await verifyResult(await issuer.sign(claims)), body.slice(0, 20)).toBe(
      'AUTHENTICATION_UNAVAILABLE',
    )
    clockOffsetMs += 1_001
  }
  expect(await verifyResult(await issuer.sign(claims))).toBe('alice')
})

test('does not follow a redirect', async () => {
  const front = await openFaultServer({
    handle: (_request, response) =>
      void response.writeHead(302, { location: issuer.jwksUrl }).end(),
  })
  verify = verifierOf(front.url)
  expect(await verifyResult(await issuer.sign(claims))).toBe('AUTHENTICATION_UNAVAILABLE')
  expect(fetchCount()).toBe(0)
  await front.close()
})

test('tries every key that fits a token without a key id', async () => {
  const withoutKid = () => issuer.sign(claims, { kid: undefined as unknown as string })
  expect(await verifyResult(await withoutKid())).toBe('alice')
  await issuer.rotate()
  clockOffsetMs += 11 * 60_000
  expect(await verifyResult(await withoutKid())).toBe('alice')
  const { sign } = await createKeyPairSigner()
  const foreign = await sign(
    { ...claims, iss: issuer.issuer, aud: issuer.audience },
    { kid: undefined as unknown as string },
  )
  expect(await verifyResult(foreign)).toBe('AUTHENTICATION_FAILED')
})

test('refuses an HMAC when the keys come from an issuer', async () => {
  const { sign } = createSecretSigner('x'.repeat(32))
  expect(await verifyResult(await issuer.sign(claims))).toBe('alice')
  expect(
    await verifyResult(await sign({ ...claims, iss: issuer.issuer, aud: issuer.audience })),
  ).toBe('AUTHENTICATION_FAILED')
})
