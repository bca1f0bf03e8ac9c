// The end of a listener without cutting anybody off: from the moment a shutdown begins no
// connection is kept for another request, and what is under way is answered before the connections
// are closed.

import type { App } from './base.ts'

export interface DrainOptions {
  /** Aborts when the shutdown begins; event streams end by it themselves. */
  closing: AbortSignal
  /** How long after that requests may take; `close()` waits for those under way until then. */
  graceMs: number
}

/** Also when `close()` comes late: who has just asked is still answered. */
const minimumDrainMs = 1_000

export function drainOnClose(app: App, { closing, graceMs }: DrainOptions) {
  let underWay = 0
  let onIdle: (() => void) | undefined
  let deadlineMs = 0
  closing.addEventListener('abort', () => (deadlineMs = performance.now() + graceMs), {
    once: true,
  })

  app.addHook('onRequest', async (_request, reply) => {
    underWay += 1
    reply.raw.once('close', () => {
      underWay -= 1
      if (underWay === 0) onIdle?.()
    })
    if (closing.aborted) reply.header('connection', 'close')
  })
  app.addHook('preClose', async () => {
    if (underWay === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(minimumDrainMs, deadlineMs - performance.now()))
      onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  })
}
