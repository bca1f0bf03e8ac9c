// A signal for the client's disconnect. Fastify's `request.signal` is no use: it aborts as soon as
// the body has been read.

import type { FastifyReply } from 'fastify'
import { isCausedBy } from './causes.ts'

const reason = new Error('The client disconnected.')

/** Whether the error, or one of its causes, is the reason of a `disconnectSignal`. */
export function isDisconnect(error: unknown): boolean {
  return isCausedBy(error, (cause) => cause === reason)
}

/** One for each response, so that it gets one listener however many parts ask. */
const signals = new WeakMap<FastifyReply['raw'], AbortSignal>()

/** Aborts when the connection closes before the response was sent completely. */
export function disconnectSignal({ raw }: Pick<FastifyReply, 'raw'>): AbortSignal {
  const known = signals.get(raw)
  if (known) return known
  const controller = new AbortController()
  signals.set(raw, controller.signal)
  if (raw.destroyed) controller.abort(reason)
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort(reason)
  })
  return controller.signal
}
