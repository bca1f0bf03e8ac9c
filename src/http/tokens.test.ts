// Valid tokens, and forgeries of their claims, their signature and their header.

import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { refusalReason } from './refusals.ts'
import {
  codeOf,
  encode,
  hmac,
  type Json,
  nowMs,
  nowSeconds,
  secret,
  secretSource,
  validClaims,
  verifyHmac,
} from './test-tokens.ts'
import { createTokenVerifier } from './tokens.ts'

test('returns the user and the expiry of a valid token', async () => {
  expect(await verifyHmac(hmac(validClaims))).toEqual({
    userId: 'alice',
    expiresAt: new Date((nowSeconds + 600) * 1000),
  })
})

test('refuses tokens without a signature and with another algorithm than the key has', async () => {
  const unsigned = `${encode({ alg: 'none' })}.${encode(validClaims)}.`
  for (const token of [
    unsigned,
    unsigned.replace(encode({ alg: 'none' }), encode({ alg: 'None' })),
    `${unsigned}x`,
  ]) {
    expect(await codeOf(token)).toBe('AUTHENTICATION_FAILED')
  }
  expect(await codeOf(hmac(validClaims, { alg: 'HS384' }, secret, 'sha384'))).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(hmac(validClaims, { alg: 'HS512' }, secret, 'sha512'))).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(hmac(validClaims, { alg: 'RS256' }))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(hmac(validClaims, { alg: 'hs256' }))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(hmac(validClaims, {}))).toBe('AUTHENTICATION_FAILED')
})

test('refuses tokens that were changed after signing', async () => {
  const [header = '', , signature = ''] = hmac(validClaims).split('.')
  expect(await codeOf(`${header}.${encode({ ...validClaims, sub: 'mallory' })}.${signature}`)).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(hmac(validClaims, { alg: 'HS256' }, `${secret}x`))).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(`${header}.${encode(validClaims)}.`)).toBe('AUTHENTICATION_FAILED')
})

test('refuses text that is no token', async () => {
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
    ` ${hmac(validClaims)}`,
  ]) {
    expect(await codeOf(token), token).toBe('AUTHENTICATION_FAILED')
  }
})

test('requires a numeric exp in the future, with a tolerance of 30 seconds', async () => {
  const withExp = (exp: unknown) => codeOf(hmac({ sub: 'alice', exp }))
  expect(await withExp(nowSeconds - 29)).toBe('accepted')
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
    expect(await withExp(exp), JSON.stringify(exp)).toBe('AUTHENTICATION_FAILED')
  }
})

test('returns a valid date for an exp beyond the range of dates', async () => {
  const { expiresAt } = await verifyHmac(hmac({ sub: 'alice', exp: 1e200 }))
  expect(Number.isNaN(expiresAt.getTime())).toBe(false)
})

test('refuses a token before its nbf, with a tolerance of 30 seconds', async () => {
  expect(await codeOf(hmac({ ...validClaims, nbf: nowSeconds + 29 }))).toBe('accepted')
  expect(await codeOf(hmac({ ...validClaims, nbf: nowSeconds + 31 }))).toBe('AUTHENTICATION_FAILED')
  expect(await codeOf(hmac({ ...validClaims, nbf: 'tomorrow' }))).toBe('AUTHENTICATION_FAILED')
})

test('requires a sub of 1 to 255 printable ASCII characters', async () => {
  for (const sub of ['a', 'x'.repeat(255), 'auth0|5f7c', 'a b', 'mail@example.org', '..', '/etc']) {
    expect(await codeOf(hmac({ ...validClaims, sub })), sub).toBe('accepted')
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
    expect(await codeOf(hmac({ ...validClaims, sub })), JSON.stringify(sub)).toBe(
      'AUTHENTICATION_FAILED',
    )
  }
})

test('says what is wrong with a signed token, though another key source could not read it', async () => {
  const { publicKey } = generateKeyPairSync('ed25519')
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const refused: unknown[] = []
  const verify = createTokenVerifier(
    {
      keySources: [secretSource, { kind: 'public-key', pem }],
      issuer: undefined,
      audience: ['gateway'],
    },
    { now: () => nowMs, onRefused: (error) => void refused.push(refusalReason(error)) },
  )
  expect(await codeOf(hmac({ ...validClaims, aud: 'other' }), verify)).toBe('AUTHENTICATION_FAILED')
  expect(refused).toEqual(['audience'])
})

test('requires the configured issuer, and the configured audience among those of the token', async () => {
  const auth = {
    keySources: [secretSource],
    issuer: 'https://issuer.example',
    audience: ['another', 'gateway'],
  }
  const verify = createTokenVerifier(auth, { now: () => nowMs })
  const withClaims = (claims: Json) =>
    codeOf(
      hmac({ ...validClaims, iss: 'https://issuer.example', aud: 'gateway', ...claims }),
      verify,
    )
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

test('refuses a valid token over 16 KiB', async () => {
  const ofLength = (claim: number) => hmac({ ...validClaims, claim: 'x'.repeat(claim) })
  expect(await codeOf(ofLength(11_000))).toBe('accepted')
  expect(await codeOf(ofLength(13_000))).toBe('AUTHENTICATION_FAILED')
})

test('refuses a token with critical extensions', async () => {
  expect(await codeOf(hmac(validClaims, { alg: 'HS256', crit: ['x'], x: 1 }))).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(hmac(validClaims, { alg: 'HS256', crit: ['b64'], b64: true }))).toBe(
    'AUTHENTICATION_FAILED',
  )
  expect(await codeOf(hmac(validClaims, { alg: 'HS256', crit: [] }))).toBe('AUTHENTICATION_FAILED')
})
