// The Idempotency-Key of a request, and the fingerprint that tells a repetition from another
// request with the same key.

import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { visibleAscii } from '../contract/text.ts'
import type { IdempotentResponse } from '../database/idempotency.ts'
import { canonicalJson } from '../domain/canonical-json.ts'
import { Problem } from '../domain/problem.ts'
import { pathOf } from './problems.ts'

export interface Idempotency {
  key: string
  /** Equal for equal requests. The order of keys in the body is ignored. */
  fingerprint: string
}

const keyPattern = new RegExp(visibleAscii)

/**
 * To be called after validation. Undefined without the header.
 * @throws Problem VALIDATION_FAILED
 */
export function readIdempotency(request: FastifyRequest): Idempotency | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  // Node joins repeated headers with ", ", which the pattern rejects.
  if (typeof key !== 'string' || !keyPattern.test(key)) {
    const message = 'must be 1 to 255 visible ASCII characters'
    throw new Problem('VALIDATION_FAILED', { errors: [{ path: 'Idempotency-Key', message }] })
  }
  return { key, fingerprint: fingerprintOf([request.method, pathOf(request)], request.body) }
}

/** sha256 of what a request is about and its body, in hexadecimal. */
export function fingerprintOf(about: readonly string[], body: unknown): string {
  const parts = [...about, canonicalJson(body ?? null)]
  return createHash('sha256').update(parts.join('\n')).digest('hex')
}

/** For OpenAPI: what `sendStoredResponse` sends. */
export const acceptedHeaders = {
  headers: ['Location'],
  optionalHeaders: ['Idempotency-Replayed'],
} as const

/** For OpenAPI; `readIdempotency` checks the header. */
export const idempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: visibleAscii,
      description: '1 to 255 visible ASCII characters. A repeated request gets the first response.',
    }),
  ),
})

/** Sends the response, and marks one that was stored for an earlier request. */
export function sendStoredResponse(
  reply: FastifyReply,
  { status, location, body, replayed }: IdempotentResponse,
) {
  if (replayed) reply.header('idempotency-replayed', 'true')
  return reply.code(status).header('location', location).send(body)
}
