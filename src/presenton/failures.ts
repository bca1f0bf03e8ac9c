// Every way in which upstream can fail, as the Problem that a run gets: what is waited out, what
// burns an attempt, what is final. The rules are in the specification, "Outage or fault". Only
// final failures quote upstream, redacted.

import { problems } from '../contract/problem.ts'
import { Problem } from '../domain/problem.ts'
import { modelFailureOf, retryHintSeconds } from './model-failures.ts'
import { redactUpstreamText } from './redact.ts'

/** `text` is the body. */
export interface TextResponse {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

/** The kind of route that responded: some statuses mean different things on different routes. */
export type RouteKind = 'deck' | 'prepare' | 'edit' | 'file' | 'login' | 'other'

/**
 * The cause of a Problem that comes from a response. It is for logs and for
 * `suggestsVersionChange`, and never shown to a user.
 */
export interface ResponseCause {
  status: number
  reason: string
}

const maxRetryAfterSeconds = 600

export function outage(cause: unknown, retryAfterSeconds?: number): Problem {
  return new Problem('UPSTREAM_UNAVAILABLE', {
    failure: 'outage',
    cause,
    retryAfterSeconds,
  })
}

export function fault(
  reason: string,
  options: { cause?: unknown; retryAfterSeconds?: number } = {},
): Problem {
  const { retryAfterSeconds, cause = new Error(reason) } = options
  return new Problem('UPSTREAM_ERROR', {
    failure: 'fault',
    cause,
    retryAfterSeconds,
  })
}

/**
 * Our credentials are refused or missing. Runs wait until they work again, so a caller is never
 * blamed for what only an operator can fix.
 */
export function credentialsRefused(cause: unknown, retryAfterSeconds?: number): Problem {
  return new Problem('UPSTREAM_UNAVAILABLE', {
    failure: 'credentials',
    cause,
    retryAfterSeconds,
  })
}

/** A limit of upstream's model, or of a proxy in front of it. */
function limit(cause: unknown, retryAfterSeconds?: number): Problem {
  return new Problem('UPSTREAM_ERROR', {
    failure: 'limit',
    modelFailure: 'limit',
    cause,
    retryAfterSeconds,
  })
}

/** The Problem of an error that upstream's model caused, by the text that upstream gives. */
export function modelProblem(
  text: string,
  { cause, retryAfterSeconds }: { cause: unknown; retryAfterSeconds?: number | undefined },
): Problem {
  const modelFailure = modelFailureOf(text)
  const hint = retryAfterSeconds ?? retryHintSeconds(text)
  if (modelFailure === 'limit') return limit(cause, hint)
  return new Problem('UPSTREAM_ERROR', { failure: 'fault', modelFailure, cause })
}

/** A 200 of a route without side effects, with a body that another version may have written. */
export function unexpectedResponse(reason: string): Problem {
  return fault(reason, { cause: { status: 200, reason } satisfies ResponseCause })
}

export function timeout(reason: string): Problem {
  return new Problem('UPSTREAM_TIMEOUT', { failure: 'fault', cause: new Error(reason) })
}

export function badFile(reason: string, cause: unknown = new Error(reason)): Problem {
  return new Problem('UPSTREAM_ERROR', { failure: 'bad-file', cause })
}

/** `text` is upstream's or our own. Both are redacted, because ours may quote upstream. */
export function rejected(text: string, cause?: unknown): Problem {
  const detail = [problems.UPSTREAM_REJECTED.detail, redactUpstreamText(text)]
    .filter((part) => part !== '')
    .join(' ')
  return new Problem('UPSTREAM_REJECTED', {
    failure: 'final',
    detail,
    cause,
  })
}

/**
 * What the body of a failed response says: FastAPI's `detail`, Next.js's `error`, or plain text.
 * Empty for nginx's HTML.
 */
export function readReason(text: string): string {
  const trimmed = text.trim()
  if (trimmed.startsWith('<')) return ''
  if (!trimmed.startsWith('{')) return trimmed.slice(0, 1000)
  try {
    const body = JSON.parse(trimmed) as Record<string, unknown>
    const detail = body.detail ?? body.error ?? body.message
    if (typeof detail === 'string') return detail
    if (Array.isArray(detail)) return detail.slice(0, 5).map(describeInvalidField).join('; ')
  } catch {
    return ''
  }
  return ''
}

/** FastAPI's validation errors also echo the input, which must not be repeated to anyone. */
function describeInvalidField(error: unknown): string {
  const { loc, msg } = (typeof error === 'object' && error !== null ? error : {}) as {
    loc?: unknown
    msg?: unknown
  }
  const field = Array.isArray(loc) ? loc.filter((part) => part !== 'body').join(' ') : ''
  return [field, typeof msg === 'string' ? msg : 'not valid']
    .filter((part) => part !== '')
    .join(': ')
}

/**
 * Seconds of a Retry-After header (a number or a date), from 1 to 600; undefined if the header is
 * missing or malformed.
 */
export function parseRetryAfter(
  headers: TextResponse['headers'],
  nowMs: number,
): number | undefined {
  const value = headers['retry-after']
  if (typeof value !== 'string' || value.trim() === '') return undefined
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : (Date.parse(value) - nowMs) / 1000
  if (Number.isNaN(seconds)) return undefined
  return Math.min(maxRetryAfterSeconds, Math.max(1, Math.ceil(seconds)))
}

/** Whether upstream says that it does not accept our credentials. */
export function isUnauthorized({ status, text }: TextResponse, routeKind: RouteKind): boolean {
  return status === 401 && (routeKind === 'file' || readReason(text) === 'Unauthorized')
}

/** Whether upstream has no account yet, so that it accepts no credentials at all. */
export function isSetupRequired({ status, text }: TextResponse): boolean {
  return status === 428 && /setup[_ ](?:is )?required/i.test(text)
}

/** The Problem of a response with an unexpected status. */
export function toProblem(
  response: TextResponse,
  { routeKind, nowMs }: { routeKind: RouteKind; nowMs: number },
): Problem {
  const { status, headers, text } = response
  const reason = readReason(text)
  const cause: ResponseCause = { status, reason: redactUpstreamText(reason) }
  const retryAfterSeconds = parseRetryAfter(headers, nowMs)
  const retry = retryAfterSeconds !== undefined && { retryAfterSeconds }
  if (isOutage(response)) return outage(cause, retryAfterSeconds)
  if (status === 429) return limitProblem(reason, { cause, retryAfterSeconds })
  // Upstream passes on any status of its model here, or the provider's text with a 500.
  const isOfModel = isModelRoute(routeKind) && !isOwnOfRoute(cause)
  if (status >= 400 && isOfModel && status !== 408 && status !== 425)
    return modelProblem(reason, { cause, retryAfterSeconds })
  if (status >= 500) return fault(`status ${status}`, { cause })
  if (status === 408 || status === 425) return fault(`status ${status}`, { cause, ...retry })
  if (routeKind === 'file') {
    if (status === 401 || status === 403)
      return rejected('The gateway is not allowed to read the file.', cause)
    return badFile(`status ${status}`, cause)
  }
  if (status < 400) return fault(`status ${status}`, { cause })
  const isDeckMissing =
    routeKind === 'deck'
      ? !isMissingRoute(cause)
      : reason === deckMissing && isModelRoute(routeKind)
  if (status === 404 && isDeckMissing)
    return new Problem('UPSTREAM_ERROR', { failure: 'gone', cause })
  return rejected(reason, cause)
}

const deckMissing = 'Presentation not found'

const isModelRoute = (routeKind: RouteKind) => routeKind === 'prepare' || routeKind === 'edit'

/** What such a route says of itself; every other failure there may be its model's. */
function isOwnOfRoute({ status, reason }: ResponseCause): boolean {
  const isMissing = /^(?:presentation|template|slide)\b.*\bnot found/i.test(reason)
  return status === 422 || (status === 404 && isMissing)
}

/** A 429 says so itself; its text may say that no wait helps. */
function limitProblem(
  reason: string,
  options: { cause: ResponseCause; retryAfterSeconds: number | undefined },
): Problem {
  const modelFailure = modelFailureOf(reason)
  if (modelFailure === 'exhausted' || modelFailure === 'too-large')
    return modelProblem(reason, options)
  return limit(options.cause, options.retryAfterSeconds ?? retryHintSeconds(reason))
}

/** Upstream's proxy responds for it. FastAPI's own `detail` says that upstream itself is up. */
function isOutage({ status, text }: TextResponse): boolean {
  return (status === 502 || status === 503 || status === 504) && !/^\s*\{\s*"detail"/.test(text)
}

function isMissingRoute({ status, reason }: ResponseCause): boolean {
  return status === 405 || (status === 404 && (reason === 'Not Found' || reason === ''))
}

/** Whether upstream may have started what it was asked for. False if it was down or refused. */
export function mayHaveStarted(error: unknown): boolean {
  if (!(error instanceof Problem)) return true
  const { status = 500 } = (error.cause ?? {}) as Partial<ResponseCause>
  const isRefusal = (status >= 400 && status < 500) || status === 503
  return !isRefusal && !['outage', 'credentials', 'gone'].includes(error.failure ?? '')
}

/**
 * Whether upstream may have become another version: a route is missing, or a request body is no
 * longer accepted.
 */
export function suggestsVersionChange(error: unknown): boolean {
  if (!(error instanceof Problem)) return false
  const { status, reason } = (error.cause ?? {}) as Partial<ResponseCause>
  if (status === 200) return true
  if (status === undefined || reason === undefined || error.failure === 'bad-file') return false
  return (
    status === 422 ||
    (status === 401 && reason === 'Unauthorized') ||
    isMissingRoute({ status, reason })
  )
}
