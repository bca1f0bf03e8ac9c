// Verifies bearer tokens. The algorithms follow from the configured kind of key, never from the
// token, so `none` and an HMAC made with a public key can't pass.

import { createPublicKey, webcrypto } from 'node:crypto'
import { errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import type { Config } from '../config/config.ts'
import type { KeySource } from '../config/key-sources.ts'
import { Problem } from '../domain/problem.ts'
import { createRemoteKeySet, type KeySetOptions } from './key-set.ts'
import { createOutboundGet } from './outbound.ts'
import { isClaimError, RefusedTokenError } from './refusals.ts'

export interface Caller {
  userId: string
  /** When the token expires; the streams opened with it end at that time. */
  expiresAt: Date
  /** How the token calls the user: its `name`, else its `email`. */
  name?: string
}

export type TokenVerifier = ReturnType<typeof createTokenVerifier>

const maxTokenChars = 16 * 1024
const clockToleranceSeconds = 30
const noProxies: Config['proxies'] = { http: undefined, https: undefined, none: [] }
/** The latest time that a Date can hold. */
const maxDateMs = 8.64e15
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
  /** In ms since the epoch. */
  now?: () => number
  /** For the requests for key sets; default: none. */
  proxies?: Config['proxies']
  /** Hears of each token: whether it was accepted, and else why not. */
  onAccepted?: () => void
  onRefused?: (error: unknown) => void
  onKeysLoaded?: KeySetOptions['onLoaded']
  onKeysFailed?: KeySetOptions['onFailed']
}

interface VerificationKey {
  algorithms: string[]
  findKey: JWTVerifyGetKey
}

/**
 * Returns a function that returns the caller of a token. It throws AUTHENTICATION_FAILED, or
 * AUTHENTICATION_UNAVAILABLE when the keys can't be fetched.
 */
export function createTokenVerifier(
  { keySources, issuer, audience }: Config['auth'],
  { now = Date.now, proxies = noProxies, ...options }: TokenVerifierOptions = {},
) {
  const { onAccepted, onRefused } = options
  const remote = {
    now,
    get: createOutboundGet(proxies),
    onLoaded: options.onKeysLoaded,
    onFailed: options.onKeysFailed,
  }
  const keys = keySources.map((source) => toVerificationKey(source, remote))
  const claims: JWTVerifyOptions = {
    requiredClaims: ['exp', 'sub'],
    clockTolerance: clockToleranceSeconds,
  }
  if (issuer !== undefined) claims.issuer = issuer
  if (audience.length > 0) claims.audience = [...audience]

  /** Tries all keys, because a token does not say which source signed it. */
  async function verifyWithAnyKey(token: string) {
    let failure: unknown
    for (const { algorithms, findKey } of keys) {
      try {
        const options = { ...claims, algorithms, currentDate: new Date(now()) }
        return await verifyWithCandidates(token, findKey, options)
      } catch (error) {
        // The signature was right, so no other source can accept the token.
        if (isClaimError(error)) throw error
        // An unreachable source may have the right key, so its problem precedes a refusal.
        if (!(failure instanceof Problem)) failure = error
      }
    }
    throw failure
  }

  async function readCaller(token: string): Promise<Caller> {
    if (token.length > maxTokenChars) throw new RefusedTokenError('malformed')
    const { payload, protectedHeader } = await verifyWithAnyKey(token)
    const { sub, exp } = payload
    // jose passes the extensions that it knows; we support none.
    if (protectedHeader.crit !== undefined) throw new RefusedTokenError('malformed')
    if (typeof sub !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(sub))
      throw new RefusedTokenError('subject')
    if (typeof exp !== 'number') throw new RefusedTokenError('claims')
    const name = displayName(payload['name']) ?? displayName(payload['email'])
    const expiresAt = new Date(Math.min(exp * 1000, maxDateMs))
    const caller = { userId: sub, expiresAt }
    return name === undefined ? caller : { ...caller, name }
  }

  return async function verify(token: string): Promise<Caller> {
    try {
      const caller = await readCaller(token)
      onAccepted?.()
      return caller
    } catch (error) {
      onRefused?.(error)
      if (error instanceof Problem) throw error
      throw new Problem('AUTHENTICATION_FAILED', { cause: error })
    }
  }
}

const maxNameChars = 200

/** A claim that can be shown; undefined for anything else. */
function displayName(claim: unknown): string | undefined {
  if (typeof claim !== 'string' || !claim.isWellFormed()) return undefined
  return (
    claim
      .replace(/[\p{Cc}\p{Cf}]/gu, '')
      .trim()
      .slice(0, maxNameChars) || undefined
  )
}

/** Tries each key that fits: a token without `kid` may fit several, and sets list keys twice. */
async function verifyWithCandidates(
  token: string,
  findKey: JWTVerifyGetKey,
  options: JWTVerifyOptions,
) {
  try {
    return await jwtVerify(token, findKey, options)
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    for await (const key of error) {
      try {
        return await jwtVerify(token, key, options)
      } catch (failure) {
        // Only a key that fits gets as far as the claims. Others may be too short, or of another
        // type.
        if (isClaimError(failure)) throw failure
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

function toVerificationKey(source: KeySource, remote: Omit<KeySetOptions, 'url'>): VerificationKey {
  switch (source.kind) {
    case 'jwks':
      return {
        algorithms: asymmetric,
        findKey: createRemoteKeySet({ url: source.url, ...remote }),
      }
    case 'secret':
      return { algorithms: ['HS256'], findKey: secretKey(source.secret) }
    case 'public-key':
      return publicKey(source.pem)
  }
}

/** Imported once: importing takes the time of verifying a token. */
function secretKey(secret: string): JWTVerifyGetKey {
  const key = webcrypto.subtle.importKey(
    'raw',
    new TextEncoder().encode(secret),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['verify'],
  )
  return () => key
}

function publicKey(pem: string): VerificationKey {
  const key = createPublicKey(pem)
  const curve = key.asymmetricKeyDetails?.namedCurve ?? ''
  const algorithmsByType: Record<string, string[]> = {
    rsa: asymmetric.filter((name) => /^[RP]S/.test(name)),
    ec: ecAlgorithms[curve] ? [ecAlgorithms[curve]] : [],
    ed25519: ['EdDSA', 'Ed25519'],
  }
  return {
    algorithms: algorithmsByType[key.asymmetricKeyType ?? ''] ?? [],
    findKey: async () => key,
  }
}
