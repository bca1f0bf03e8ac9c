// The parts of route schemas that several routes share, and the problem responses of a route.

import Type, { type Static, type TSchema } from 'typebox'
import { eventSchema } from '../contract/events.ts'
import { notificationSchema } from '../contract/notification.ts'
import { presentationSchema } from '../contract/presentation.ts'
import { type ProblemCode, problemSchema, problems } from '../contract/problem.ts'
import { clientMessageSchema, serverMessageSchema } from '../contract/realtime.ts'
import { sourceSchema } from '../contract/source.ts'
import { problemType } from './problems.ts'
import { describeHeaders, type HeaderName } from './response-headers.ts'

/** The schemas that other schemas refer to by `$id`. */
export const sharedSchemas: TSchema[] = [
  presentationSchema,
  sourceSchema,
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
    pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
  }),
})

/** What OpenAPI tells of a response besides its schema. */
export interface ResponseNotes {
  description: string
  /** Headers that it always has, besides those that openapi-document.ts adds by rule. */
  headers?: readonly HeaderName[]
  /** Headers that it may have. */
  optionalHeaders?: readonly HeaderName[]
}

/** For a response without a body. */
export function emptyResponse(description: string, headers: readonly HeaderName[] = []) {
  return Type.Unsafe<void>({
    type: 'null',
    description,
    headers: describeHeaders(headers, { isRequired: true }),
  })
}

/** For a response in JSON. `openapi.ts` brings it into the form of OpenAPI. */
export function jsonResponse<T extends TSchema>(
  schema: T,
  {
    description,
    headers = [],
    optionalHeaders = [],
    ...rest
  }: ResponseNotes & { example: NoInfer<Static<T>> },
) {
  return Type.Unsafe<Static<T>>({
    ...schema,
    description,
    headers: {
      ...describeHeaders(headers, { isRequired: true }),
      ...describeHeaders(optionalHeaders, { isRequired: false }),
    },
    examples: [rest.example],
  })
}

/** For a response in another media type. */
export function mediaResponse(
  mediaType: string,
  schema: object,
  { description, headers = [], ...rest }: ResponseNotes & { examples?: Record<string, object> },
) {
  return {
    description,
    headers: describeHeaders(headers, { isRequired: true }),
    content: { [mediaType]: { schema, ...rest } },
  }
}

/** Of every route. A request that the parser refuses is one that fails validation. */
const commonCodes: ProblemCode[] = [
  'VALIDATION_FAILED',
  'REQUEST_TIMEOUT',
  'RATE_LIMIT_EXCEEDED',
  'INTERNAL_ERROR',
]
/** Of every route that requires authentication. */
const authenticatedCodes: ProblemCode[] = [
  ...commonCodes,
  'AUTHENTICATION_FAILED',
  'AUTHENTICATION_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
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
  return toResponses([...commonCodes, ...codes])
}

/** The codes with two statuses: everybody's queue is full, the head of the request is too large. */
const secondStatuses: { [Code in ProblemCode]?: number } = {
  QUEUE_FULL: 503,
  VALIDATION_FAILED: 431,
}

/** One response for each status, the key in OpenAPI. */
function toResponses(codes: ProblemCode[]): Record<never, never> {
  const codesByStatus: Record<number, ProblemCode[]> = {}
  for (const code of new Set(codes)) {
    for (const status of [problems[code].status, secondStatuses[code]])
      if (status !== undefined) codesByStatus[status] = [...(codesByStatus[status] ?? []), code]
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
