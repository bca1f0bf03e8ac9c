// Wire shapes that several routes share, and how a route says in its schema which problems it may
// answer with.

import Type, { type TSchema } from 'typebox'
import { eventSchema } from '../contract/events.ts'
import { presentationSchema } from '../contract/presentation.ts'
import { type ProblemCode, problemSchema, problems } from '../contract/problem.ts'
import { problemType } from './problems.ts'

/** The schemas that others refer to by name. */
export const sharedSchemas: TSchema[] = [presentationSchema, problemSchema, eventSchema]

/** A malformed id returns 404, like an unknown one. */
export const idParams = Type.Object({ id: Type.String({ format: 'uuid' }) })

/** For an answer without a body. */
export function emptyResponse(description: string) {
  return Type.Unsafe<void>({ type: 'null', description })
}

/** What any route behind authentication may answer. */
const everywhere: ProblemCode[] = [
  'VALIDATION_FAILED',
  'AUTHENTICATION_FAILED',
  'AUTHENTICATION_UNAVAILABLE',
  'RATE_LIMIT_EXCEEDED',
  'DATABASE_UNAVAILABLE',
  'INTERNAL_ERROR',
]
/**
 * What any route with a JSON body may answer besides; by cookie, it may also be refused for where
 * it comes from.
 */
const withBody: ProblemCode[] = ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'PERMISSION_DENIED']

/**
 * For the `response` of a route's schema: its own problem codes and those that every authenticated
 * route has.
 */
export function problemResponses(...codes: ProblemCode[]): Record<never, never> {
  return answersOf([...everywhere, ...codes])
}

/** The same for a route that changes something. */
export function problemResponsesOfWrite(...codes: ProblemCode[]): Record<never, never> {
  return answersOf([...everywhere, ...withBody, ...codes])
}

/** The same for a route that needs no authentication. */
export function publicProblemResponses(...codes: ProblemCode[]): Record<never, never> {
  return answersOf(['RATE_LIMIT_EXCEEDED', 'INTERNAL_ERROR', ...codes])
}

/** One answer for each status: OpenAPI knows no other key. QUEUE_FULL has two of them. */
function answersOf(codes: ProblemCode[]): Record<never, never> {
  const byStatus: Record<number, ProblemCode[]> = {}
  for (const code of new Set(codes)) {
    const statuses = code === 'QUEUE_FULL' ? [problems[code].status, 503] : [problems[code].status]
    for (const status of statuses) byStatus[status] = [...(byStatus[status] ?? []), code]
  }
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\`: ${problems[code].detail}`).join('\n\n'),
        content: { [problemType]: { schema: { $ref: 'Problem#' } } },
      },
    ]),
  )
}
