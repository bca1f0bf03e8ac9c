// A signal for the end of a caller's patience. Fastify's own `request.signal` listens to the request, whose 'close' comes as
// soon as a body was read; the response's comes when the caller has left or been answered.

import type { FastifyReply } from 'fastify'

const reason = new Error('The caller has left.')

/** Aborts when the connection closes before the answer was sent whole. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  if (reply.raw.destroyed) controller.abort(reason)
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(reason)
  })
  return controller.signal
}
