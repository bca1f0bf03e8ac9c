// Tokens for tests of their verification, also forged ones, and what the verifier says of them.

import { createHmac, type KeyObject } from 'node:crypto'
import type { KeySource } from '../config/key-sources.ts'
import { Problem } from '../domain/problem.ts'
import { createTokenVerifier } from './tokens.ts'

export const nowMs = Date.parse('2026-11-20T12:00:00Z')
export const nowSeconds = nowMs / 1000
export const secret = 'a shared secret of more than 32 bytes'
export const secretSource: KeySource = { kind: 'secret', secret }

export function verifierOf(...keySources: KeySource[]) {
  const auth = { keySources, issuer: undefined, audience: [] }
  return createTokenVerifier(auth, { now: () => nowMs })
}

export const verifyHmac = verifierOf(secretSource)

export type Json = Record<string, unknown>

export const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
export const validClaims: Json = { sub: 'alice', exp: nowSeconds + 600 }

/** Signs without a library, because libraries refuse to sign some forgeries. */
export function hmac(
  payload: unknown,
  header: Json = { alg: 'HS256' },
  key: string = secret,
  hash = 'sha256',
): string {
  const signed = `${encode(header)}.${encode(payload)}`
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`
}

export async function codeOf(token: string, verify = verifyHmac): Promise<string> {
  try {
    await verify(token)
    return 'accepted'
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

export function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString().trim()
}
