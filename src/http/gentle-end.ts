// The end of a listener without cutting anybody off: from the moment a shutdown begins no connection is kept for another
// request, and what is under way is answered before the connections are closed.

import type { App } from './base.ts'

export interface GentleEnd {
  /** Aborts when the shutdown begins; event streams end by it themselves. */
  closing: AbortSignal
  /** How long `close()` waits for requests under way. */
  graceMs: number
}

export function endGently(app: App, { closing, graceMs }: GentleEnd) {
  let underWay = 0
  let onIdle: (() => void) | undefined

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
      const timer = setTimeout(resolve, graceMs)
      onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  })
}
