// Turns every error into an application/problem+json response (RFC 9457): our own Problems, errors
// of Fastify and its plugins, and unexpected ones. Only the text of a Problem is sent.

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { InvalidPlace } from '../contract/problem.ts'
import { explainText, unicodeFormat } from '../contract/text.ts'
import { isDatabaseUnavailable } from '../database/database-errors.ts'
import { Problem } from '../domain/problem.ts'
import { isCausedBy } from './causes.ts'
import { isDisconnect } from './disconnect.ts'

export const problemType = 'application/problem+json'

/** For a 429 or 503 whose problem has no Retry-After of its own. */
const defaultRetryAfterSeconds = 5
/** `errors` repeats keys of the request; the rest of a longer path is cut. */
const maxPathChars = 200

export interface ProblemContext {
  /** The path of the request, without the query, which may hold a ticket. */
  instance: string
  requestId: string
}

export function problemDocument(problem: Problem, { instance, requestId }: ProblemContext) {
  // VALIDATION_FAILED always has `errors`; an empty path means the whole request.
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
  const needsRetryAfter = problem.status === 429 || problem.status === 503
  const seconds =
    problem.retryAfterSeconds ?? (needsRetryAfter ? defaultRetryAfterSeconds : undefined)
  const headers: Record<string, string> = {}
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer'
  Object.assign(headers, problem.headers)
  if (seconds !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(seconds)))
  headers['cache-control'] = 'no-store'
  return headers
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
  const problem = asProblem(error, request.body)
  logProblem(request, problem, error)
  // Fastify sets `close` after every error of a body parser, because more of the body may come.
  if (request.raw.complete) reply.removeHeader('connection')
  return sendProblem(request, reply, problem)
}

export function logProblem(request: FastifyRequest, problem: Problem, error: unknown) {
  // At debug level, because clients could otherwise fill the log by disconnecting.
  if (isDisconnect(error)) request.log.debug('client disconnected')
  else if (problem.status === 500) {
    request.log.error({ err: error }, 'request failed unexpectedly')
    reportError(request, error)
  } else if (problem.status >= 500)
    request.log.warn({ err: error, code: problem.code }, 'request failed')
  else request.log.debug({ err: error, code: problem.code }, 'request refused')
}

function reportError(request: FastifyRequest, error: unknown) {
  const { server, method, routeOptions } = request
  server.reportError?.(error, {
    kind: 'request',
    tags: { method, route: routeOptions.url },
    userId: request.caller?.userId,
  })
}

/** `body` is that of the request, if it was read. */
export function asProblem(error: unknown, body?: unknown): Problem {
  if (error instanceof Problem) return error
  if (isCausedBy(error, isDatabaseUnavailable))
    return new Problem('DATABASE_UNAVAILABLE', { cause: error })
  if (!(error instanceof Error)) return new Problem('INTERNAL_ERROR', { cause: error })
  const { validation, validationContext, statusCode = 500, code } = error as FastifyError
  if (validation) {
    // A malformed id returns 404, like an unknown one.
    if (validationContext === 'params') return new Problem('NOT_FOUND', { cause: error })
    return new Problem('VALIDATION_FAILED', {
      cause: error,
      errors: toErrors(validation, validationContext, body),
    })
  }
  return fromFramework(statusCode, code, error)
}

function fromFramework(status: number, code: string, cause: Error): Problem {
  if (status === 404) return new Problem('NOT_FOUND', { cause })
  if (status === 413) return new Problem('PAYLOAD_TOO_LARGE', { cause })
  if (status === 415) return new Problem('UNSUPPORTED_MEDIA_TYPE', { cause })
  if (status === 429) return new Problem('RATE_LIMIT_EXCEEDED', { cause })
  // @fastify/static refuses paths outside of its folder, and dot files, with 403.
  if (status === 403 && code?.startsWith('FST_')) return new Problem('NOT_FOUND', { cause })
  if (status >= 400 && status < 500) {
    // Only for Fastify's own errors. A 4xx that a client library got elsewhere is our failure.
    if (code?.startsWith('FST_') || cause instanceof SyntaxError)
      return new Problem('VALIDATION_FAILED', { status, cause })
  }
  return new Problem('INTERNAL_ERROR', { cause })
}

type AjvErrors = NonNullable<FastifyError['validation']>

function toErrors(validation: AjvErrors, part: string | undefined, body: unknown): InvalidPlace[] {
  const errors = new Map<string, string>()
  for (const error of validation) {
    const pointer = pointerOf(error)
    const path = part === 'body' ? pointer : pointer.replace(/^\//, '')
    if (!errors.has(path)) errors.set(path, messageOf(error, body))
  }
  return [...errors].map(([path, message]) => ({ path, message }))
}

/** ajv names the parent of a missing or unknown property; this names the property itself. */
function pointerOf({ instancePath, params, ...rest }: AjvErrors[number]): string {
  const inner = 'propertyName' in rest ? rest.propertyName : undefined
  const property =
    params.missingProperty ?? params.additionalProperty ?? params.propertyName ?? inner
  const pointer =
    typeof property === 'string'
      ? `${instancePath}/${property.replaceAll('~', '~0').replaceAll('/', '~1')}`
      : instancePath
  return pointer.length > maxPathChars ? `${pointer.slice(0, maxPathChars)}…` : pointer
}

function messageOf(
  { keyword, params, message, instancePath }: AjvErrors[number],
  body: unknown,
): string {
  if (keyword === 'required') return 'is required'
  if (keyword === 'additionalProperties') return 'is not allowed'
  if (keyword === 'pattern' || params.format === unicodeFormat)
    return explainText(valueAt(body, instancePath))
  if (keyword === 'enum' && Array.isArray(params.allowedValues))
    return `must be one of ${params.allowedValues.join(', ')}`
  return message ?? 'is invalid'
}

/** The value that ajv names; undefined for names of properties. */
function valueAt(body: unknown, pointer: string): unknown {
  let value = body
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  }
  return value
}
