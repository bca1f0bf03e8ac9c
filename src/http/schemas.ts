// Wire shapes that several routes share, and how a route says in its schema which problems it may
// answer with.

import Type, { type Static, type TSchema } from 'typebox'
import { type Presentation, presentationSchema, statuses } from '../contract/presentation.ts'
import { type ProblemCode, problemCodes, problems } from '../domain/problem.ts'
import { problemType } from './problems.ts'

const problemSchema = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: 'One fixed sentence for each code.' }),
    instance: Type.String({ description: 'The path that was asked for.' }),
    code: Type.Unsafe<ProblemCode>({ type: 'string', enum: problemCodes }),
    request_id: Type.String(),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          path: Type.String({
            description: "A JSON pointer into the body, or a parameter's name.",
          }),
          message: Type.String(),
        }),
      ),
    ),
  },
  { $id: 'Problem', title: 'Problem', description: 'RFC 9457' },
)

/** The schemas that others refer to by name. */
export const sharedSchemas: TSchema[] = [presentationSchema, problemSchema]

export const presentationRef = Type.Unsafe<Presentation>({
  $ref: 'Presentation#',
  description: 'The presentation as it is now.',
})

export const presentationPageSchema = Type.Object({
  items: Type.Array(presentationRef),
  next_cursor: Type.Union([Type.String(), Type.Null()], {
    description: 'For the next page; null on the last one.',
  }),
})
export type PresentationPage = Static<typeof presentationPageSchema>

/** An id that is no UUID is answered like one that names nothing. */
export const idParams = Type.Object({ id: Type.String({ format: 'uuid' }) })

export const statusFilter = Type.Unsafe<(typeof statuses)[number]>({
  type: 'string',
  enum: statuses,
})

export const downloadSchema = Type.Object(
  {
    url: Type.String({ description: 'A presigned link.' }),
    expires_at: Type.String({ format: 'date-time' }),
    file_name: Type.String(),
    content_type: Type.String(),
    size_bytes: Type.Integer({ minimum: 0 }),
    sha256: Type.String(),
  },
  { title: 'Download' },
)

export const outlinesResponse = Type.Object({
  outlines: Type.Array(Type.String(), { description: 'One a slide, in Markdown.' }),
  title: Type.Union([Type.String(), Type.Null()]),
})

const allowanceSchema = Type.Object({
  limit: Type.Union([Type.Integer(), Type.Null()], { description: 'Null: unlimited.' }),
  used: Type.Integer({ minimum: 0 }),
  remaining: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description: 'Null: unlimited.',
  }),
  resets_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description:
      'When the window begins to free itself; null where nothing is used, or waiting frees nothing.',
  }),
})

export const usageSchema = Type.Object(
  {
    per_hour: allowanceSchema,
    per_day: allowanceSchema,
    total: allowanceSchema,
    total_slides: allowanceSchema,
  },
  { title: 'Usage' },
)

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
    const statuses = code === 'QUEUE_FULL' ? [problems[code][0], 503] : [problems[code][0]]
    for (const status of statuses) byStatus[status] = [...(byStatus[status] ?? []), code]
  }
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\`: ${problems[code][2]}`).join('\n\n'),
        content: { [problemType]: { schema: { $ref: 'Problem#' } } },
      },
    ]),
  )
}
