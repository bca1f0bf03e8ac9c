// Closes a server without cutting off requests: once the shutdown begins, no connection is kept
// alive, and `close()` waits for the requests under way.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from './base.ts'

export interface DrainOptions {
  /** Aborts when the shutdown begins. Event streams listen to it themselves. */
  closing: AbortSignal
  /** How long requests may take from then on. */
  graceMs: number
}

/**
 * For requests that arrive just before `close()`, even when that is called after the grace, and for
 * connections that linger: their responses were sent before.
 */
const minDrainMs = 1_000

export function drainOnClose(app: App, { closing, graceMs }: DrainOptions) {
  let pending = 0
  let onIdle: (() => void) | undefined
  let deadlineMs = 0
  const startGrace = () => {
    deadlineMs = performance.now() + graceMs
  }
  closing.addEventListener('abort', startGrace, { once: true })

  const announceClose = async (_request: FastifyRequest, reply: FastifyReply) => {
    if (closing.aborted) reply.header('connection', 'close')
  }
  app.addHook('onRequest', async (_request, reply) => {
    pending += 1
    reply.raw.once('close', () => {
      pending -= 1
      if (pending === 0) onIdle?.()
    })
  })
  // The error handler removes the header, and event streams run no onSend.
  app.addHook('onRequest', announceClose)
  app.addHook('onSend', announceClose)
  app.addHook('preClose', async () => {
    if (pending > 0) await waitUntilIdle()
    await app.lingeringClose.closeWithin(minDrainMs)
  })

  function waitUntilIdle() {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(minDrainMs, deadlineMs - performance.now()))
      onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
