// Keys of a remote issuer over real sockets: rotation, outages, unknown key ids. The clock is the
// test's own.

import { afterEach, beforeEach, expect, test } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { openFaultServer } from '../sandbox/fault-server.ts'
import { createSecretSigner, openTokenIssuer, type TokenIssuer } from '../sandbox/tokens.ts'
import { createTokenVerifier, type TokenVerifier } from './tokens.ts'

let issuer: TokenIssuer
let verify: TokenVerifier
let laterMs: number

beforeEach(async () => {
  issuer = await openTokenIssuer()
  laterMs = 0
  verify = verifierOf(issuer.jwksUrl)
})
afterEach(() => issuer.close())

function verifierOf(url: string) {
  const auth = { kind: 'jwks', url, issuer: issuer.issuer, audience: issuer.audience } as const
  return createTokenVerifier(auth, { now: () => Date.now() + laterMs })
}

async function codeOf(token: string): Promise<string> {
  try {
    return (await verify(token)).userId
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

const fetches = () => issuer.requests.length
const long = { sub: 'alice', expiresInSeconds: 86_400 }

test('keys are fetched at the first token, once for all who wait, and kept', async () => {
  expect(fetches()).toBe(0)
  const tokens = await Promise.all([
    issuer.sign(long),
    issuer.sign(long, { alg: 'ES256' }),
    issuer.sign(long),
  ])
  expect(await Promise.all(tokens.map(codeOf))).toEqual(['alice', 'alice', 'alice'])
  expect(await codeOf(await issuer.sign(long))).toBe('alice')
  expect(fetches()).toBe(1)
})

test('a rotated key is found by one more fetch', async () => {
  const before = await issuer.sign(long)
  expect(await codeOf(before)).toBe('alice')
  await issuer.rotate()
  expect(await codeOf(await issuer.sign(long))).toBe('alice')
  expect(await codeOf(before)).toBe('alice')
  expect(fetches()).toBe(2)
})

test('unknown key ids cause at most one fetch in thirty seconds, however many there are', async () => {
  expect(await codeOf(await issuer.sign(long))).toBe('alice')
  const unknown = () => issuer.sign(long, { kid: crypto.randomUUID() })
  for (let i = 0; i < 5; i++) expect(await codeOf(await unknown())).toBe('AUTHENTICATION_FAILED')
  const many = await Promise.all(Array.from({ length: 20 }, unknown))
  expect(new Set(await Promise.all(many.map(codeOf)))).toEqual(new Set(['AUTHENTICATION_FAILED']))
  expect(fetches()).toBe(2)
  laterMs += 31_000
  expect(await codeOf(await unknown())).toBe('AUTHENTICATION_FAILED')
  expect(fetches()).toBe(3)
})

test('a key that was withdrawn stops working once the set has grown old', async () => {
  const old = await issuer.sign(long)
  expect(await codeOf(old)).toBe('alice')
  await issuer.rotate({ publishOld: false })
  expect(await codeOf(old)).toBe('alice')
  laterMs += 11 * 60_000
  expect(await codeOf(old)).toBe('AUTHENTICATION_FAILED')
})

test('an issuer that is away is no reason to refuse a token whose key is known', async () => {
  const token = await issuer.sign(long)
  expect(await codeOf(token)).toBe('alice')
  await issuer.down()
  laterMs += 3_600_000
  expect(await codeOf(token)).toBe('alice')
})

test('an issuer that has grown slow holds up nobody whose key is known, and is asked once', async () => {
  const token = await issuer.sign(long)
  expect(await codeOf(token)).toBe('alice')
  const stalled = issuer.injectFault({ kind: 'stall' }, { times: 100 })
  laterMs += 11 * 60_000
  const begun = performance.now()
  expect(await Promise.all([token, token, token].map(codeOf))).toEqual(['alice', 'alice', 'alice'])
  expect(await codeOf(token)).toBe('alice')
  expect(performance.now() - begun).toBeLessThan(3_000)
  expect(stalled.hits).toHaveLength(1)
  stalled.release()
})

test('an issuer that is away and a key that is not known: unavailable and not refused, with a time to come back', async () => {
  const token = await issuer.sign(long)
  await issuer.down()
  await expect(verify(token)).rejects.toMatchObject({
    code: 'AUTHENTICATION_UNAVAILABLE',
    retryAfterSeconds: expect.any(Number),
  })
  await issuer.up()
  laterMs += 1_001
  expect(await codeOf(token)).toBe('alice')
  await issuer.down()
  const foreign = await issuer.sign(long, { kid: 'new' })
  await expect(verify(foreign)).rejects.toMatchObject({
    code: 'AUTHENTICATION_UNAVAILABLE',
    retryAfterSeconds: 30,
  })
  await expect(verify(foreign)).rejects.toMatchObject({ code: 'AUTHENTICATION_UNAVAILABLE' })
})

test('while it is away, the issuer is not asked more often than the limit allows', async () => {
  expect(await codeOf(await issuer.sign(long))).toBe('alice')
  const fault = issuer.injectFault({ kind: 'status', status: 500 }, { times: 100 })
  const unknown = () => issuer.sign(long, { kid: crypto.randomUUID() })
  for (let i = 0; i < 10; i++)
    expect(await codeOf(await unknown())).toBe('AUTHENTICATION_UNAVAILABLE')
  expect(fault.hits).toHaveLength(1)
  laterMs += 31_000
  fault.release()
  expect(await codeOf(await unknown())).toBe('AUTHENTICATION_FAILED')
})

test('an answer that is no key set counts as unavailable', async () => {
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
    expect(await codeOf(await issuer.sign(long)), body.slice(0, 20)).toBe(
      'AUTHENTICATION_UNAVAILABLE',
    )
    laterMs += 1_001
  }
  expect(await codeOf(await issuer.sign(long))).toBe('alice')
})

test('a redirect is not followed', async () => {
  const front = await openFaultServer({
    handle: (_request, response) =>
      void response.writeHead(302, { location: issuer.jwksUrl }).end(),
  })
  verify = verifierOf(front.url)
  expect(await codeOf(await issuer.sign(long))).toBe('AUTHENTICATION_UNAVAILABLE')
  expect(fetches()).toBe(0)
  await front.close()
})

test('without a key id the token passes only if exactly one key fits', async () => {
  const withoutKid = () => issuer.sign(long, { kid: undefined as unknown as string })
  expect(await codeOf(await withoutKid())).toBe('alice')
  await issuer.rotate()
  laterMs += 11 * 60_000
  expect(await codeOf(await withoutKid())).toBe('AUTHENTICATION_FAILED')
})

test('an HMAC is never taken with keys of an issuer', async () => {
  const { sign } = createSecretSigner('x'.repeat(32))
  expect(await codeOf(await issuer.sign(long))).toBe('alice')
  expect(await codeOf(await sign({ ...long, iss: issuer.issuer, aud: issuer.audience }))).toBe(
    'AUTHENTICATION_FAILED',
  )
})
