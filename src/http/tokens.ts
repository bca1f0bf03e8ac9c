// Who a bearer token speaks for. The algorithms follow from the kind of key that is configured and
// from nothing in the token, so that `none`, or an HMAC made with a public key, cannot pass.

import { createPublicKey, webcrypto } from 'node:crypto'
import { type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import type { Config } from '../config/config.ts'
import { Problem } from '../domain/problem.ts'
import { createRemoteKeySet } from './key-set.ts'

export interface Caller {
  userId: string
  /** When the token ends, and with it every stream that it opened. */
  expiresAt: Date
}

export type TokenVerifier = ReturnType<typeof createTokenVerifier>

const maxTokenChars = 16 * 1024
const clockToleranceSeconds = 30
/** The latest time that a Date can hold. */
const latestMs = 8.64e15
const asymmetric = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]
const ecAlgorithms: Record<string, string> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

export interface TokenVerifierOptions {
  now?: () => number
  fetch?: typeof fetch
}

/**
 * Returns a function that throws AUTHENTICATION_FAILED, or AUTHENTICATION_UNAVAILABLE when the keys
 * cannot be had.
 */
export function createTokenVerifier(
  auth: Config['auth'],
  { now = Date.now, ...options }: TokenVerifierOptions = {},
) {
  const { algorithms, findKey } = keysOf(auth, { now, ...options })
  const expected: JWTVerifyOptions = {
    algorithms,
    requiredClaims: ['exp', 'sub'],
    clockTolerance: clockToleranceSeconds,
    ...(auth.issuer !== undefined && { issuer: auth.issuer }),
    ...(auth.audience !== undefined && { audience: auth.audience }),
  }

  async function verify(token: string): Promise<Caller> {
    if (token.length > maxTokenChars) throw new Problem('AUTHENTICATION_FAILED')
    try {
      const { payload, protectedHeader } = await jwtVerify(token, findKey, {
        ...expected,
        currentDate: new Date(now()),
      })
      const { sub, exp } = payload
      // We know no extension, so a token that insists on one is not for us.
      if (protectedHeader.crit !== undefined) throw new Error('crit')
      if (typeof sub !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(sub)) throw new Error('sub')
      if (typeof exp !== 'number') throw new Error('exp')
      return { userId: sub, expiresAt: new Date(Math.min(exp * 1000, latestMs)) }
    } catch (error) {
      if (error instanceof Problem) throw error
      throw new Problem('AUTHENTICATION_FAILED', { cause: error })
    }
  }

  return verify
}

function keysOf(auth: Config['auth'], options: { now: () => number; fetch?: typeof fetch }) {
  if (auth.kind === 'jwks')
    return { algorithms: asymmetric, findKey: createRemoteKeySet({ url: auth.url, ...options }) }
  if (auth.kind === 'secret') {
    // Once, since bytes would be imported anew for each token, which takes as long as to verify it.
    const secret = new TextEncoder().encode(auth.secret)
    const imported = webcrypto.subtle.importKey(
      'raw',
      secret,
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['verify'],
    )
    return { algorithms: ['HS256'], findKey: (() => imported) satisfies JWTVerifyGetKey }
  }
  const key = createPublicKey(auth.pem)
  const curve = key.asymmetricKeyDetails?.namedCurve ?? ''
  const families: Record<string, string[]> = {
    rsa: asymmetric.filter((name) => /^[RP]S/.test(name)),
    ec: ecAlgorithms[curve] ? [ecAlgorithms[curve]] : [],
    ed25519: ['EdDSA', 'Ed25519'],
  }
  return {
    algorithms: families[key.asymmetricKeyType ?? ''] ?? [],
    findKey: (async () => key) satisfies JWTVerifyGetKey,
  }
}
