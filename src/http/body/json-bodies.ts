// Request bodies in JSON, for the scopes that want them. Fastify's own parser is no match: it holds
// up to 8 MiB of every body at once and parses at any depth. Here memory is bounded per user, and
// nesting and width are checked while the bytes arrive.

import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { scan } from 'secure-json-parse'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../base.ts'
import { callerKey } from '../caller-key.ts'
import { createBodyBudget } from './body-budget.ts'
import { createParseQueue } from './parse-queue.ts'
import { readBody } from './read-body.ts'

export interface JsonBodyOptions {
  /** The media types that are parsed as JSON. */
  types?: string[]
  maxBytes?: number
  /** From the first read to the last byte. */
  timeoutMs?: number
  /** Scopes of one process share one, so that the memory is bounded for all of them together. */
  budget?: ReturnType<typeof createBodyBudget>
  queue?: ReturnType<typeof createParseQueue>
}

/**
 * Parses `application/json` in UTF-8, after authentication and rate limit; any other non-empty body
 * gets 415. An empty body is undefined: many clients send the content type without a body.
 */
export function jsonBodies(
  scope: App,
  {
    types = ['application/json'],
    maxBytes = 8 * 1024 * 1024,
    timeoutMs = 60_000,
    budget = createBodyBudget(),
    queue = createParseQueue(),
  }: JsonBodyOptions = {},
): void {
  scope.addContentTypeParser(types, async (request: FastifyRequest, payload: IncomingMessage) => {
    const user = callerKey(request)
    const { 'content-length': length, 'content-encoding': encoding } = request.headers
    if (encoding !== undefined && encoding !== 'identity')
      throw new Problem('UNSUPPORTED_MEDIA_TYPE')
    const { bytes, release } = await readBody(payload, {
      contentLength: length === undefined ? undefined : Number(length),
      maxBytes,
      timeoutMs,
      reserve: (most) => budget.reserve(user, most),
    })
    try {
      if (bytes.length === 0) return undefined
      return await queue.run({ user, bytes: bytes.length }, () => parseJson(bytes))
    } finally {
      release()
    }
  })
  rejectOtherBodies(scope)
}

/** Any other body gets 415. Some clients send an empty one with another type, or without a type. */
export function rejectOtherBodies(scope: App): void {
  scope.addContentTypeParser('*', (request, body, done) => {
    const { 'content-length': length, expect } = request.headers
    // A client that waits for `100 Continue` has a body to send.
    if (Number(length) > 0 || expect !== undefined)
      return done(new Problem('UNSUPPORTED_MEDIA_TYPE'), undefined)
    let isDone = false
    function finish(problem: Problem | null) {
      if (isDone) return
      isDone = true
      body.off('data', reject).on('error', () => undefined)
      done(problem, undefined)
    }
    const reject = () => finish(new Problem('UNSUPPORTED_MEDIA_TYPE'))
    body.once('data', reject)
    body.once('end', () => finish(null))
    body.once('error', (cause: Error) =>
      finish(cause instanceof Problem ? cause : new Problem('VALIDATION_FAILED', { cause })),
    )
  })
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** @throws Problem VALIDATION_FAILED. Of a repeated key the last value counts, as in JSON.parse. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = tryTo(() => decoder.decode(bytes), 'must be UTF-8')
  const value: unknown = tryTo(() => JSON.parse(text), 'must be JSON')
  if (typeof value === 'object' && value !== null)
    tryTo(() => scan(value), 'must not contain `__proto__` or `constructor.prototype` keys')
  return value
}

function tryTo<T>(act: () => T, message: string): T {
  try {
    return act()
  } catch (cause) {
    throw new Problem('VALIDATION_FAILED', { cause, errors: [{ path: '', message }] })
  }
}

/** For the `preValidation` of routes whose fields are all optional: no body counts as `{}`. */
export async function defaultToEmptyBody(request: FastifyRequest) {
  if (request.body === undefined) request.body = {}
}
