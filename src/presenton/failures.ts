// Every way upstream can fail, as the Problem a run is told: what is waited out, what burns an
// attempt, what is final. The rules are those of the product's specification, "Outage or fault";
// upstream's own words appear in final ones only, redacted.

import { problems } from '../contract/problem.ts'
import { Problem } from '../domain/problem.ts'
import { redactUpstreamText } from './redact.ts'

/** An answer that is not what was asked for. `text` is its body, or the beginning of it. */
export interface TextResponse {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

/** Whose answer it is: some statuses mean different things. */
export type Subject = 'deck' | 'prepare' | 'file' | 'login' | 'other'

/**
 * Hung on a Problem as its cause, for logs and for those who look whether upstream has changed.
 * Never shown to a caller.
 */
export interface Refusal {
  status: number
  reason: string
}

const maxRetryAfterSeconds = 600

export function unavailable(cause: unknown, retryAfterSeconds?: number): Problem {
  return new Problem('UPSTREAM_UNAVAILABLE', {
    failure: 'outage',
    cause,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
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
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  })
}

/** A good answer in another version's words, to a question that did nothing. */
export function unexpectedShape(what: string): Problem {
  return fault(what, { cause: { status: 200, reason: what } satisfies Refusal })
}

export function timedOut(reason: string): Problem {
  return new Problem('UPSTREAM_TIMEOUT', { failure: 'fault', cause: new Error(reason) })
}

export function badFile(reason: string, cause: unknown = new Error(reason)): Problem {
  return new Problem('UPSTREAM_ERROR', { failure: 'bad-file', cause })
}

/** `words` are upstream's own, or ours; both are redacted, since ours may quote. */
export function rejected(words: string, cause?: unknown): Problem {
  const detail = [problems.UPSTREAM_REJECTED.detail, redactUpstreamText(words)]
    .filter((part) => part !== '')
    .join(' ')
  return new Problem('UPSTREAM_REJECTED', {
    failure: 'final',
    detail,
    ...(cause !== undefined && { cause }),
  })
}

/**
 * What upstream said in a body of any of its parts: FastAPI's `detail`, Next.js's `error`, or plain
 * text; nothing for nginx's HTML.
 */
export function reasonOf(text: string): string {
  const plain = text.trim()
  if (plain.startsWith('<')) return ''
  if (!plain.startsWith('{')) return plain.slice(0, 1000)
  try {
    const body = JSON.parse(plain) as Record<string, unknown>
    const detail = body.detail ?? body.error ?? body.message
    if (typeof detail === 'string') return detail
    // A validation error also echoes the input, which must not come back to anyone.
    if (Array.isArray(detail)) return detail.slice(0, 5).map(flawOf).join('; ')
  } catch {
    return ''
  }
  return ''
}

function flawOf(flaw: unknown): string {
  const { loc, msg } = (typeof flaw === 'object' && flaw !== null ? flaw : {}) as {
    loc?: unknown
    msg?: unknown
  }
  const place = Array.isArray(loc) ? loc.filter((part) => part !== 'body').join(' ') : ''
  return [place, typeof msg === 'string' ? msg : 'not valid']
    .filter((part) => part !== '')
    .join(': ')
}

/**
 * Seconds of a Retry-After header (a number or a date), bounded; undefined when there is none that
 * can be read.
 */
export function retryAfterOf(headers: TextResponse['headers'], nowMs: number): number | undefined {
  const value = headers['retry-after']
  if (typeof value !== 'string' || value.trim() === '') return undefined
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : (Date.parse(value) - nowMs) / 1000
  if (Number.isNaN(seconds)) return undefined
  return Math.min(maxRetryAfterSeconds, Math.max(1, Math.ceil(seconds)))
}

/**
 * Upstream's way to say that it does not know who calls; any other 401 of its routes comes from its
 * model.
 */
export function isUnauthorized({ status, text }: TextResponse, subject: Subject): boolean {
  return status === 401 && (subject === 'file' || reasonOf(text) === 'Unauthorized')
}

/** The Problem for an answer with a status nobody asked for. */
export function problemOf(answer: TextResponse, subject: Subject, nowMs: number): Problem {
  const { status, headers, text } = answer
  const reason = reasonOf(text)
  const refusal: Refusal = { status, reason: redactUpstreamText(reason) }
  const retryAfterSeconds = retryAfterOf(headers, nowMs)
  const retry = retryAfterSeconds !== undefined && { retryAfterSeconds }
  if (status === 502 || status === 503 || status === 504)
    return unavailable(refusal, retryAfterSeconds)
  if (status >= 500) return fault(`status ${status}`, { cause: refusal })
  if (status === 408 || status === 425 || status === 429)
    return fault(`status ${status}`, { cause: refusal, ...retry })
  if (subject === 'file') {
    if (status === 401 || status === 403)
      return rejected('The gateway may not read the file.', refusal)
    return badFile(`status ${status}`, refusal)
  }
  if (status < 400) return fault(`status ${status}`, { cause: refusal })
  const gone =
    subject === 'deck'
      ? !isMissingRoute(refusal)
      : subject === 'prepare' && reason === 'Presentation not found'
  if (status === 404 && gone)
    return new Problem('UPSTREAM_ERROR', { failure: 'gone', cause: refusal })
  // Here upstream passes on its model's status, whatever that is; of its own it says only these.
  const isOwn =
    status === 422 || isUnauthorized(answer, subject) || /^template\b.*\bnot found/i.test(reason)
  if (subject === 'prepare' && !isOwn)
    return fault(`status ${status}`, { cause: refusal, ...retry })
  return rejected(reason, refusal)
}

function isMissingRoute({ status, reason }: Refusal): boolean {
  return status === 405 || (status === 404 && (reason === 'Not Found' || reason === ''))
}

/**
 * Whether upstream may have begun with what it was asked for: not where nobody answered, nor where
 * it refused.
 */
export function mayHaveStarted(error: unknown): boolean {
  if (!(error instanceof Problem)) return true
  const { status = 500 } = (error.cause ?? {}) as Partial<Refusal>
  return error.failure !== 'outage' && error.failure !== 'gone' && !(status >= 400 && status < 500)
}

/**
 * Whether a failure may mean that upstream has become another version: a route that is gone, or a
 * body it no longer takes.
 */
export function suggestsVersionChange(error: unknown): boolean {
  if (!(error instanceof Problem)) return false
  const { status, reason } = (error.cause ?? {}) as Partial<Refusal>
  if (status === 200) return true
  if (status === undefined || reason === undefined || error.failure === 'bad-file') return false
  return (
    status === 422 ||
    (status === 401 && reason === 'Unauthorized') ||
    isMissingRoute({ status, reason })
  )
}
