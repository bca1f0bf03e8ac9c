// The parts of route schemas that several routes share, and the problem responses of a route.

import Type, { type TSchema } from 'typebox'
import { eventSchema } from '../contract/events.ts'
import { notificationSchema } from '../contract/notification.ts'
import { presentationSchema } from '../contract/presentation.ts'
import { type ProblemCode, problemSchema, problems } from '../contract/problem.ts'
import { clientMessageSchema, serverMessageSchema } from '../contract/realtime.ts'
import { problemType } from './problems.ts'

/** The schemas that other schemas refer to by `$id`. */
export const sharedSchemas: TSchema[] = [
  presentationSchema,
  problemSchema,
  eventSchema,
  notificationSchema,
  serverMessageSchema,
  clientMessageSchema,
]

/** A malformed id returns 404, like an unknown one. */
export const idParams = Type.Object({
  // The format alone also allows `urn:uuid:…`, which Postgres does not take.
  id: Type.String({
    format: 'uuid',
    pattern: '^[\\da-fA-F]{8}(?:-[\\da-fA-F]{4}){3}-[\\da-fA-F]{12}$',
  }),
})

/** For a response without a body. */
export function emptyResponse(description: string) {
  return Type.Unsafe<void>({ type: 'null', description })
}

/** Of every route that requires authentication. */
const authenticatedCodes: ProblemCode[] = [
  'VALIDATION_FAILED',
  'AUTHENTICATION_FAILED',
  'AUTHENTICATION_UNAVAILABLE',
  'RATE_LIMIT_EXCEEDED',
  'DATABASE_UNAVAILABLE',
  'INTERNAL_ERROR',
]
/** Of every route that changes something. PERMISSION_DENIED is for untrusted origins. */
const writeCodes: ProblemCode[] = [
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'PERMISSION_DENIED',
]

/** For the `response` of a schema: these codes, and those of every authenticated route. */
export function problemResponses(...codes: ProblemCode[]): Record<never, never> {
  return toResponses([...authenticatedCodes, ...codes])
}

/** The same for a route that changes something. */
export function problemResponsesOfWrite(...codes: ProblemCode[]): Record<never, never> {
  return toResponses([...authenticatedCodes, ...writeCodes, ...codes])
}

/** The same for a route without authentication. */
export function publicProblemResponses(...codes: ProblemCode[]): Record<never, never> {
  return toResponses(['RATE_LIMIT_EXCEEDED', 'INTERNAL_ERROR', ...codes])
}

/** One response for each status, the key in OpenAPI. QUEUE_FULL has two statuses. */
function toResponses(codes: ProblemCode[]): Record<never, never> {
  const codesByStatus: Record<number, ProblemCode[]> = {}
  for (const code of new Set(codes)) {
    const statuses = code === 'QUEUE_FULL' ? [problems[code].status, 503] : [problems[code].status]
    for (const status of statuses) codesByStatus[status] = [...(codesByStatus[status] ?? []), code]
  }
  return Object.fromEntries(
    Object.entries(codesByStatus).map(([status, statusCodes]) => [
      status,
      {
        description: statusCodes
          .map((code) => `\`${code}\`: ${problems[code].detail}`)
          .join('\n\n'),
        content: { [problemType]: { schema: { $ref: 'Problem#' } } },
      },
    ]),
  )
}
