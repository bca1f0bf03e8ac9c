// How everything that goes wrong becomes an application/problem+json answer (RFC 9457): our own
// Problems, what Fastify and its plugins throw, and whatever nobody thought of. Nothing but the
// Problem's own words ever leaves.

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { InvalidPlace } from '../contract/problem.ts'
import { isDatabaseAway } from '../database/connection.ts'
import { Problem } from '../domain/problem.ts'
import { isDisconnect } from './disconnect.ts'

export const problemType = 'application/problem+json'

/** Where a problem does not say how long to wait. */
const defaultRetryAfterSeconds = 5
/** A caller's own text comes back in `errors`; no more of it than helps. */
const maxPathChars = 200

export interface ProblemContext {
  /** The path that was asked for, without the query: that may hold a ticket. */
  instance: string
  requestId: string
}

export function problemDocument(problem: Problem, { instance, requestId }: ProblemContext) {
  // Also where the whole request is at fault and no part of it.
  const errors =
    problem.errors ??
    (problem.code === 'VALIDATION_FAILED' ? [{ path: '', message: problem.detail }] : undefined)
  return {
    type: 'about:blank' as const,
    title: problem.title,
    status: problem.status,
    detail: problem.detail,
    instance,
    code: problem.code,
    request_id: requestId,
    ...(errors && { errors }),
  }
}

export function problemHeaders(problem: Problem): Record<string, string> {
  const mustSayWhen = problem.status === 429 || problem.status === 503
  const seconds = problem.retryAfterSeconds ?? (mustSayWhen ? defaultRetryAfterSeconds : undefined)
  return {
    ...problem.headers,
    ...(problem.status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(seconds !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(seconds))) }),
    'cache-control': 'no-store',
  }
}

export function pathOf(request: Pick<FastifyRequest, 'url'>): string {
  return request.url.replace(/[?#].*$/s, '')
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem) {
  const document = problemDocument(problem, { instance: pathOf(request), requestId: request.id })
  return reply
    .code(problem.status)
    .headers(problemHeaders(problem))
    .type(problemType)
    .send(document)
}

/** For Fastify's setErrorHandler. */
export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const problem = asProblem(error)
  logProblem(request, problem, error)
  return sendProblem(request, reply, problem)
}

export function logProblem(request: FastifyRequest, problem: Problem, error: unknown) {
  // Else whoever hangs up often enough could fill the log with errors.
  if (isDisconnect(error)) request.log.debug('the caller has left')
  else if (problem.status === 500) request.log.error({ err: error }, 'request failed unexpectedly')
  else if (problem.status >= 500)
    request.log.warn({ err: error, code: problem.code }, 'request failed')
  else request.log.debug({ err: error, code: problem.code }, 'request refused')
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (isAway(error)) return new Problem('DATABASE_UNAVAILABLE', { cause: error })
  if (!(error instanceof Error)) return new Problem('INTERNAL_ERROR', { cause: error })
  const { validation, validationContext, statusCode = 500, code } = error as FastifyError
  if (validation) {
    // A path is what it is: an id that can't be one names nothing.
    if (validationContext === 'params') return new Problem('NOT_FOUND', { cause: error })
    return new Problem('VALIDATION_FAILED', {
      cause: error,
      errors: placesOf(validation, validationContext),
    })
  }
  return ofFramework(statusCode, code, error)
}

/** Drizzle and others wrap what the driver threw. */
function isAway(error: unknown, depth = 0): boolean {
  if (isDatabaseAway(error)) return true
  return (
    depth < 5 &&
    error instanceof Error &&
    error.cause !== undefined &&
    isAway(error.cause, depth + 1)
  )
}

function ofFramework(status: number, code: string, cause: Error): Problem {
  if (status === 404) return new Problem('NOT_FOUND', { cause })
  if (status === 413) return new Problem('PAYLOAD_TOO_LARGE', { cause })
  if (status === 415) return new Problem('UNSUPPORTED_MEDIA_TYPE', { cause })
  if (status === 429) return new Problem('RATE_LIMIT_EXCEEDED', { cause })
  // What the pages of the documentation do not show does not exist.
  if (status === 403 && code?.startsWith('FST_')) return new Problem('NOT_FOUND', { cause })
  if (status >= 400 && status < 500) {
    // Only Fastify's own errors: what a library says of a 4xx it got elsewhere is not our caller's
    // doing.
    if (code?.startsWith('FST_') || cause instanceof SyntaxError)
      return new Problem('VALIDATION_FAILED', { status, cause })
  }
  return new Problem('INTERNAL_ERROR', { cause })
}

type AjvErrors = NonNullable<FastifyError['validation']>

function placesOf(validation: AjvErrors, part: string | undefined): InvalidPlace[] {
  const places = new Map<string, string>()
  for (const error of validation) {
    const pointer = pointerOf(error)
    const path = part === 'body' ? pointer : pointer.replace(/^\//, '')
    if (!places.has(path)) places.set(path, messageOf(error))
  }
  return [...places].map(([path, message]) => ({ path, message }))
}

/** A missing or unknown property is named by its own pointer, not by its parent's. */
function pointerOf({ instancePath, params, ...rest }: AjvErrors[number]): string {
  const inner = 'propertyName' in rest ? rest.propertyName : undefined
  const own = params.missingProperty ?? params.additionalProperty ?? params.propertyName ?? inner
  const pointer =
    typeof own === 'string'
      ? `${instancePath}/${own.replaceAll('~', '~0').replaceAll('/', '~1')}`
      : instancePath
  return pointer.length > maxPathChars ? `${pointer.slice(0, maxPathChars)}…` : pointer
}

function messageOf({ keyword, params, message }: AjvErrors[number]): string {
  if (keyword === 'required') return 'is required'
  if (keyword === 'additionalProperties') return 'is not known'
  if (keyword === 'pattern') return 'must not contain control characters or lone surrogates'
  if (keyword === 'enum' && Array.isArray(params.allowedValues))
    return `must be one of ${params.allowedValues.join(', ')}`
  return message ?? 'is not valid'
}
