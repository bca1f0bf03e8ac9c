// The Idempotency-Key of a request, and the fingerprint that tells whether the same key comes with
// the same request.

import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { IdempotentResponse } from '../database/idempotency.ts'
import { Problem } from '../domain/problem.ts'
import { pathOf } from './problems.ts'

export interface Idempotency {
  key: string
  /**
   * sha256 of method, path and body, in hexadecimal; the order of the body's keys does not matter.
   */
  fingerprint: string
}

/**
 * Call it after validation. Undefined without the header; VALIDATION_FAILED for one that is no key.
 */
export function readIdempotency(request: FastifyRequest): Idempotency | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  // A header given twice arrives joined by a comma and a space, and so is no key either.
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    const message = 'must be 1 to 255 visible ASCII characters'
    throw new Problem('VALIDATION_FAILED', { errors: [{ path: 'Idempotency-Key', message }] })
  }
  const parts = [request.method, pathOf(request), canonical(request.body ?? null)]
  return { key, fingerprint: createHash('sha256').update(parts.join('\n')).digest('hex') }
}

/**
 * JSON with the keys of every object in one order. Bodies are validated by now, so they are
 * shallow.
 */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** For the documentation only: the header is read by hand, since it may come twice. */
export const idempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description:
        '1 to 255 visible ASCII characters. The same key with the same request gives the first answer again.',
    }),
  ),
})

/** Sends an answer, made now or kept from the first time. */
export function sendStoredResponse(
  reply: FastifyReply,
  { status, location, body, replayed }: IdempotentResponse,
) {
  if (replayed) reply.header('idempotency-replayed', 'true')
  return reply.code(status).header('location', location).send(body)
}
