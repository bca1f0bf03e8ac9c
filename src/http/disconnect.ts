// A signal for the end of a caller's patience. Fastify's own `request.signal` listens to the
// request, whose 'close' comes as soon as a body was read; the response's comes when the caller has
// left or been answered.

import type { FastifyReply } from 'fastify'

const reason = new Error('The caller has left.')

/** Whether this error, or what caused it, is that there is nobody left to answer. */
export function isDisconnect(error: unknown, depth = 0): boolean {
  if (error === reason) return true
  return (
    depth < 5 &&
    error instanceof Error &&
    error.cause !== undefined &&
    isDisconnect(error.cause, depth + 1)
  )
}

/** Aborts when the connection closes before the answer was sent whole. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  if (reply.raw.destroyed) controller.abort(reason)
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(reason)
  })
  return controller.signal
}
