// A signal for the client's disconnect. Fastify's `request.signal` is no use: it aborts as soon as
// the body has been read.

import type { FastifyReply } from 'fastify'
import { isCausedBy } from './causes.ts'

const reason = new Error('The client disconnected.')

/** Whether the error, or one of its causes, is the reason of a `disconnectSignal`. */
export function isDisconnect(error: unknown): boolean {
  return isCausedBy(error, (cause) => cause === reason)
}

/** Aborts when the connection closes before the response was sent completely. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  if (reply.raw.destroyed) controller.abort(reason)
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(reason)
  })
  return controller.signal
}
