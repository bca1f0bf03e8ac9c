// Every failure that a caller can be told: its stable code, its usual status and its one sentence;
// and the problem document (RFC 9457) that carries them.

import Type, { type Static } from 'typebox'
import { oneOf, text } from './member-schemas.ts'

export interface ProblemKind {
  status: number
  detail: string
  /** Whether the same request, or a retry of the run, can succeed later. */
  retryable: boolean
}

/** A new code is one entry here; `docs/api.md` must list it. */
export const problems = {
  AUTHENTICATION_FAILED: {
    status: 401,
    detail: 'The credentials are missing, expired or invalid.',
    retryable: false,
  },
  AUTHENTICATION_UNAVAILABLE: {
    status: 503,
    detail: 'Token signing keys are temporarily unavailable.',
    retryable: true,
  },
  PERMISSION_DENIED: {
    status: 403,
    detail: 'Requests from this origin are not allowed.',
    retryable: false,
  },
  NOT_FOUND: { status: 404, detail: 'The resource does not exist.', retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, detail: 'Method not allowed.', retryable: false },
  CONFLICT: {
    status: 409,
    detail: 'The current state does not allow this operation.',
    retryable: false,
  },
  REVISION_CONFLICT: {
    status: 412,
    detail: 'The deck has changed since this revision. Read its slides again.',
    retryable: false,
  },
  NOT_READY: { status: 409, detail: 'The resource is not ready yet.', retryable: true },
  VALIDATION_FAILED: { status: 400, detail: 'The request is invalid.', retryable: false },
  REQUEST_TIMEOUT: {
    status: 408,
    detail: 'The request took too long to arrive.',
    retryable: true,
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    detail: 'The request body, or a file in it, is too large.',
    retryable: false,
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    detail: 'The type of the request body, or of a file in it, is not supported.',
    retryable: false,
  },
  SOURCE_REJECTED: {
    status: 422,
    detail: 'The virus scanner rejected a file.',
    retryable: false,
  },
  SCANNER_UNAVAILABLE: {
    status: 503,
    detail: 'The virus scanner is temporarily unavailable.',
    retryable: true,
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    detail: 'This Idempotency-Key was used for a different request.',
    retryable: false,
  },
  RATE_LIMIT_EXCEEDED: {
    status: 429,
    detail: 'Too many requests. Wait before the next one.',
    retryable: true,
  },
  TOO_MANY_STREAMS: { status: 429, detail: 'Too many event streams are open.', retryable: true },
  TOO_MANY_CONNECTIONS: {
    status: 429,
    detail: 'Too many real-time connections are open.',
    retryable: true,
  },
  UPGRADE_REQUIRED: {
    status: 426,
    detail: 'This resource is a WebSocket. Use `Upgrade: websocket`.',
    retryable: false,
  },
  QUOTA_EXCEEDED: {
    status: 429,
    detail: 'The quota for this period is used up. Try again later.',
    retryable: true,
  },
  QUOTA_EXHAUSTED: {
    status: 402,
    detail: 'The quota is used up. Delete presentations or sources, or ask for a higher quota.',
    retryable: false,
  },
  QUEUE_FULL: { status: 429, detail: 'Too many presentations are queued.', retryable: true },
  NOT_SUPPORTED: {
    status: 409,
    detail: 'This installation does not support the operation.',
    retryable: false,
  },
  WEBHOOK_REJECTED: {
    status: 422,
    detail: 'The URL of the webhook is not allowed.',
    retryable: false,
  },
  UPSTREAM_REJECTED: {
    status: 422,
    detail: 'The presentation generator rejected the request.',
    retryable: false,
  },
  UPSTREAM_ERROR: { status: 502, detail: 'The presentation generator failed.', retryable: true },
  UPSTREAM_UNAVAILABLE: {
    status: 503,
    detail: 'The presentation generator is temporarily unavailable.',
    retryable: true,
  },
  UPSTREAM_TIMEOUT: {
    status: 504,
    detail: 'The presentation generator took too long.',
    retryable: true,
  },
  STORAGE_UNAVAILABLE: {
    status: 503,
    detail: 'The file store is temporarily unavailable.',
    retryable: true,
  },
  DATABASE_UNAVAILABLE: {
    status: 503,
    detail: 'The database is temporarily unavailable.',
    retryable: true,
  },
  INTERNAL_ERROR: { status: 500, detail: 'An internal error occurred.', retryable: true },
  CANCELLED: { status: 409, detail: 'The run was cancelled.', retryable: true },
  REVIEW_EXPIRED: {
    status: 409,
    detail: 'The outlines were not approved in time.',
    retryable: true,
  },
  INTERRUPTED: { status: 500, detail: 'The run was interrupted too often.', retryable: true },
  RUN_TIMEOUT: { status: 504, detail: 'The run took too long.', retryable: true },
  TOKEN_EXPIRED: { status: 401, detail: 'The token has expired.', retryable: true },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof problems

export const problemCodes = Object.keys(problems) as ProblemCode[]

const invalidPlaceSchema = Type.Object({
  path: text("A JSON pointer into the body, or a parameter's name."),
  message: text(),
})

/** One invalid place of a request: where it is, and what is wrong there. */
export type InvalidPlace = Static<typeof invalidPlaceSchema>

export const problemSchema = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: text(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: text('One fixed sentence for each code.'),
    instance: text('The path of the request.'),
    code: oneOf(problemCodes),
    request_id: text(),
    errors: Type.Optional(Type.Array(invalidPlaceSchema)),
  },
  { $id: 'Problem', title: 'Problem', description: 'RFC 9457' },
)
