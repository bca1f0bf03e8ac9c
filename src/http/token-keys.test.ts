// Tokens that are signed with public keys, and forgeries that mix up keys and algorithms.

import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import type { KeySource } from '../config/key-sources.ts'
import {
  codeOf,
  encode,
  hmac,
  pemOf,
  secretSource,
  validClaims,
  verifierOf,
} from './test-tokens.ts'

const publicKeySource = (key: KeyObject): KeySource => ({ kind: 'public-key', pem: pemOf(key) })

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const verifyRsa = verifierOf(publicKeySource(rsa.publicKey))

test('accepts only the algorithms of the kind of public key', async () => {
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
    const token = await new SignJWT(validClaims)
      .setProtectedHeader({ alg })
      .sign(pairs[kind].privateKey)
    for (const other of Object.keys(pairs) as (keyof typeof pairs)[]) {
      const expected = other === kind ? 'accepted' : 'AUTHENTICATION_FAILED'
      expect(
        await codeOf(token, verifierOf(publicKeySource(pairs[other].publicKey))),
        `${alg} for ${other}`,
      ).toBe(expected)
    }
  }
})

test('refuses an HMAC made with the text of the public key, under any algorithm name', async () => {
  const pem = pemOf(rsa.publicKey)
  const forms = [
    pem,
    `${pem}\n`,
    createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('binary'),
  ]
  for (const key of forms) {
    for (const alg of ['HS256', 'RS256', 'none']) {
      expect(await codeOf(hmac(validClaims, { alg }, key), verifyRsa), alg).toBe(
        'AUTHENTICATION_FAILED',
      )
    }
  }
})

test('ignores keys and key URLs in the token header', async () => {
  const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = attacker.publicKey.export({ format: 'jwk' })
  for (const extra of [
    { jwk },
    { jku: 'http://127.0.0.1:1/keys' },
    { x5u: 'http://127.0.0.1:1/cert' },
    { x5c: ['AAAA'] },
    { kid: '../../key' },
  ]) {
    const signed = `${encode({ alg: 'RS256', ...extra })}.${encode(validClaims)}`
    const forged = `${signed}.${signBytes('sha256', Buffer.from(signed), attacker.privateKey).toString('base64url')}`
    expect(await codeOf(forged, verifyRsa)).toBe('AUTHENTICATION_FAILED')
    const genuine = `${signed}.${signBytes('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url')}`
    expect(await codeOf(genuine, verifyRsa)).toBe('accepted')
  }
})

test('accepts tokens of any of several key sources, each with its own algorithms', async () => {
  const verify = verifierOf(secretSource, publicKeySource(rsa.publicKey))
  const signed = await new SignJWT(validClaims)
    .setProtectedHeader({ alg: 'RS256' })
    .sign(rsa.privateKey)
  expect(await codeOf(signed, verify)).toBe('accepted')
  expect(await codeOf(hmac(validClaims), verify)).toBe('accepted')
  const forged = hmac(validClaims, { alg: 'HS256' }, pemOf(rsa.publicKey))
  expect(await codeOf(forged, verify)).toBe('AUTHENTICATION_FAILED')
})
