// What passes for a token, and every forgery we could think of.

import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { createTokenVerifier } from './tokens.ts'

const nowMs = Date.parse('2026-11-20T12:00:00Z')
const nowSeconds = nowMs / 1000
const secret = 'a shared secret of more than 32 bytes'
const unset = { issuer: undefined, audience: undefined }
const bySecret = createTokenVerifier({ kind: 'secret', secret, ...unset }, { now: () => nowMs })

type Json = Record<string, unknown>

const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
const good: Json = { sub: 'alice', exp: nowSeconds + 600 }

/** Signed by hand, so that nothing a library refuses to sign is left out. */
function hmac(
  payload: unknown,
  header: Json = { alg: 'HS256' },
  key: string = secret,
  hash = 'sha256',
): string {
  const signed = `${encode(header)}.${encode(payload)}`
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`
}

async function codeOf(token: string, verify = bySecret): Promise<string> {
  try {
    await verify(token)
    return 'accepted'
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

test('a good token tells who calls and until when', async () => {
  expect(await bySecret(hmac(good))).toEqual({
    userId: 'alice',
    expiresAt: new Date((nowSeconds + 600) * 1000),
  })
})

test('a token without signature, or of another algorithm than the key is for, is refused', async () => {
  const unsigned = `${encode({ alg: 'none' })}.${encode(good)}.`
  for (const token of [
    unsigned,
    unsigned.replace(encode({ alg: 'none' }), encode({ alg: 'None' })),
    `${unsigned}x`,
  ]) {
    expect(await codeOf(token)).toBe('AUTHENTICATION_FAILED')
  }
  expect(await codeOf(hmac(good, { alg: 'HS384' }, secret, 'sha384'))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(hmac(good, { alg: 'HS512' }, secret, 'sha512'))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(hmac(good, { alg: 'RS256' }))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(hmac(good, { alg: 'hs256' }))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(hmac(good, {}))).toBe('AUTHENTICATION_FAILED')
})

test('a token whose parts were changed after it was signed is refused', async () => {
  const [header = '', , signature = ''] = hmac(good).split('.')
  expect(await codeOf(`${header}.${encode({ ...good, sub: 'mallory' })}.${signature}`)).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(hmac(good, { alg: 'HS256' }, `${secret}x`))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(`${header}.${encode(good)}.`)).toBe('AUTHENTICATION_FAILED')
})

test('what is no token at all is refused', async () => {
  for (const token of [
    '',
    '.',
    '..',
    'a.b.c',
    'a.b.c.d.e',
    'x',
    hmac('[]'),
    hmac('null'),
    hmac('"alice"'),
    hmac('{'),
    ` ${hmac(good)}`,
  ]) {
    expect(await codeOf(token), token).toBe('AUTHENTICATION_FAILED')
  }
})

test('a token needs an end that is a number and not past, give or take thirty seconds', async () => {
  const withEnd = (exp: unknown) => codeOf(hmac({ sub: 'alice', exp }))
  expect(await withEnd(nowSeconds - 29)).toBe('accepted')
  for (const exp of [
    nowSeconds - 31,
    0,
    -1,
    undefined,
    null,
    String(nowSeconds + 600),
    [nowSeconds + 600],
    {},
  ]) {
    expect(await withEnd(exp), JSON.stringify(exp)).toBe('AUTHENTICATION_FAILED')
  }
})

test('an end beyond all calendars is still a date', async () => {
  const { expiresAt } = await bySecret(hmac({ sub: 'alice', exp: 1e200 }))
  expect(Number.isNaN(expiresAt.getTime())).toBe(false)
})

test('a token that is not valid yet is refused, give or take thirty seconds', async () => {
  expect(await codeOf(hmac({ ...good, nbf: nowSeconds + 29 }))).toBe('accepted')
  expect(await codeOf(hmac({ ...good, nbf: nowSeconds + 31 }))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(hmac({ ...good, nbf: 'tomorrow' }))).toBe('AUTHENTICATION_FAILED')
})

test('the user is 1 to 255 printable ASCII characters', async () => {
  for (const sub of ['a', 'x'.repeat(255), 'auth0|5f7c', 'a b', 'mail@example.org', '..', '/etc']) {
    expect(await codeOf(hmac({ ...good, sub })), sub).toBe('accepted')
  }
  for (const sub of [
    undefined,
    '',
    'x'.repeat(256),
    'a\u0000',
    'a\nb',
    'ä',
    '\u007f',
    7,
    null,
    ['alice'],
    { a: 1 },
  ]) {
    expect(await codeOf(hmac({ ...good, sub })), JSON.stringify(sub)).toBe('AUTHENTICATION_FAILED')
  }
})

test('issuer and audience must be the configured ones; of several audiences one is enough', async () => {
  const auth = {
    kind: 'secret',
    secret,
    issuer: 'https://issuer.example',
    audience: 'gateway',
  } as const
  const verify = createTokenVerifier(auth, { now: () => nowMs })
  const withClaims = (claims: Json) =>
    codeOf(hmac({ ...good, iss: 'https://issuer.example', aud: 'gateway', ...claims }), verify)
  expect(await withClaims({})).toBe('accepted')
  expect(await withClaims({ aud: ['other', 'gateway'] })).toBe('accepted')
  for (const iss of [
    undefined,
    '',
    'https://issuer.example/',
    ['https://issuer.example'],
    1,
    null,
  ]) {
    expect(await withClaims({ iss }), JSON.stringify(iss)).toBe('AUTHENTICATION_FAILED')
  }
  for (const aud of [
    undefined,
    '',
    'gateways',
    [],
    ['other'],
    [['gateway']],
    { gateway: true },
    1,
  ]) {
    expect(await withClaims({ aud }), JSON.stringify(aud)).toBe('AUTHENTICATION_FAILED')
  }
})

test('a token over 16 KiB is refused, whoever signed it', async () => {
  const ofLength = (claim: number) => hmac({ ...good, claim: 'x'.repeat(claim) })
  expect(await codeOf(ofLength(11_000))).toBe('accepted')
  expect(await codeOf(ofLength(13_000))).toBe('AUTHENTICATION_FAILED')
})

test('a token that insists on an extension is refused', async () => {
  expect(await codeOf(hmac(good, { alg: 'HS256', crit: ['x'], x: 1 }))).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(hmac(good, { alg: 'HS256', crit: ['b64'], b64: true }))).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(hmac(good, { alg: 'HS256', crit: [] }))).toBe('AUTHENTICATION_FAILED')
})

function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString().trim()
}

function byPublicKey(pem: string) {
  return createTokenVerifier({ kind: 'public-key', pem, ...unset }, { now: () => nowMs })
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const verifyRsa = byPublicKey(pemOf(rsa.publicKey))

test('a public key takes the algorithms of its kind and no other', async () => {
  const pairs = {
    rsa,
    p256: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
    p384: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
    ed25519: generateKeyPairSync('ed25519'),
  }
  const cases: [keyof typeof pairs, string][] = [
    ['rsa', 'RS256'],
    ['rsa', 'RS512'],
    ['rsa', 'PS256'],
    ['p256', 'ES256'],
    ['p384', 'ES384'],
    ['ed25519', 'EdDSA'],
    ['ed25519', 'Ed25519'],
  ]
  for (const [kind, alg] of cases) {
    const token = await new SignJWT(good).setProtectedHeader({ alg }).sign(pairs[kind].privateKey)
    for (const other of Object.keys(pairs) as (keyof typeof pairs)[]) {
      const expected = other === kind ? 'accepted' : 'AUTHENTICATION_FAILED'
      expect(
        await codeOf(token, byPublicKey(pemOf(pairs[other].publicKey))),
        `${alg} for ${other}`,
      ).toBe(expected)
    }
  }
})

test('an HMAC made with the text of the public key is refused, whatever it calls itself', async () => {
  const pem = pemOf(rsa.publicKey)
  const forms = [
    pem,
    `${pem}\n`,
    createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('binary'),
  ]
  for (const key of forms) {
    for (const alg of ['HS256', 'RS256', 'none']) {
      expect(await codeOf(hmac(good, { alg }, key), verifyRsa), alg).toBe('AUTHENTICATION_FAILED')
    }
  }
})

test('keys and addresses that a token brings along are not looked at', async () => {
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = own.publicKey.export({ format: 'jwk' })
  for (const extra of [
    { jwk },
    { jku: 'http://127.0.0.1:1/keys' },
    { x5u: 'http://127.0.0.1:1/cert' },
    { x5c: ['AAAA'] },
    { kid: '../../key' },
  ]) {
    const signed = `${encode({ alg: 'RS256', ...extra })}.${encode(good)}`
    const forged = `${signed}.${signBytes('sha256', Buffer.from(signed), own.privateKey).toString('base64url')}`
    expect(await codeOf(forged, verifyRsa)).toBe('AUTHENTICATION_FAILED')
    const honest = `${signed}.${signBytes('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url')}`
    expect(await codeOf(honest, verifyRsa)).toBe('accepted')
  }
})
