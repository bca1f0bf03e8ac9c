// What every route with server-sent events has in common: headers, and errors as a browser's
// EventSource needs them.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { jitterMs } from '../async/backoff.ts'
import { asProblem, handleError, logProblem } from './problems.ts'

const reconnectMs = 5_000

export const eventStreamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Without no-transform, compressing proxies hold events back; so does nginx's buffering.
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
}

/** Says when to reconnect; jittered, so that the clients of a replica do not return together. */
export function retryFrame(ms: number): Buffer {
  return Buffer.from(`retry: ${jitterMs(ms)}\n\n`)
}

export const heartbeatFrame = Buffer.from(': \n\n')

/**
 * The error handler of a stream's route. An EventSource never reconnects after any status but 200,
 * so temporary failures get a 200 with only a `retry:` line.
 */
export function handleStreamError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const problem = asProblem(error)
  const isTemporary = problem.status >= 500 || problem.status === 429
  const isEventSource = /\btext\/event-stream\b/i.test(request.headers.accept ?? '')
  if (!isTemporary || !isEventSource) return handleError(error, request, reply)
  logProblem(request, problem, error)
  return reply
    .code(200)
    .headers(eventStreamHeaders)
    .send(`retry: ${jitterMs(reconnectMs)}\n\n`)
}
