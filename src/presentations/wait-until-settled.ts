// Waits until a presentation is neither queued nor running, for callers who do not follow its
// events.

import { sleep } from '../async/signals.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { isSettled } from '../domain/status.ts'
import { findPresentation, type PresentationRow } from './statements/queries.ts'

export interface WaitUntilSettledOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe'>
}

export interface WaitRequest {
  userId: string
  id: string
  timeoutMs: number
  signal: AbortSignal
  /** Called with the row each time it was read. */
  onRead?: (row: PresentationRow) => void
}

// A lost hint delays the response by this much at most.
const pollMs = 1_000

/**
 * Resolves with the row once it is settled, or as it is after `timeoutMs`; undefined when it does
 * not exist for this user. Rejects with the reason of the signal.
 */
export function createWaitUntilSettled({ database, channels }: WaitUntilSettledOptions) {
  return async function waitUntilSettled({
    userId,
    id,
    timeoutMs,
    signal,
    onRead,
  }: WaitRequest): Promise<PresentationRow | undefined> {
    const deadlineMs = performance.now() + timeoutMs
    for (;;) {
      const changed = new AbortController()
      const stopWaiting = () => changed.abort()
      // Subscribed before the read, so that no change in between is missed.
      const unsubscribe = channels.subscribe('status', (message) => {
        if (message.id === id) stopWaiting()
      })
      signal.addEventListener('abort', stopWaiting, { once: true })
      try {
        signal.throwIfAborted()
        const row = await findPresentation(database, { userId, id })
        if (row) onRead?.(row)
        const leftMs = deadlineMs - performance.now()
        if (!row || isSettled(row.status) || leftMs <= 0) return row
        await sleep(Math.min(pollMs, leftMs), changed.signal).catch(() => undefined)
      } finally {
        unsubscribe()
        signal.removeEventListener('abort', stopWaiting)
      }
    }
  }
}
