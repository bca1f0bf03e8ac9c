// Waiting for a presentation to be neither queued nor running, for callers who ask once and don't
// follow the stream.

import { sleep } from '../async/signals.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { findPresentation, type PresentationRow } from './statements/queries.ts'

export interface WaitUntilSettledOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'on' | 'off'>
}

export interface WaitRequest {
  userId: string
  id: string
  timeoutMs: number
  signal: AbortSignal
}

// A lost wake costs no more than this.
const pollMs = 1_000

/**
 * Resolves with the row once it is settled, or after `timeoutMs` as it is then; undefined when it
 * isn't this user's (any more).
 */
export function createWaitUntilSettled({ database, channels }: WaitUntilSettledOptions) {
  return async function waitUntilSettled({
    userId,
    id,
    timeoutMs,
    signal,
  }: WaitRequest): Promise<PresentationRow | undefined> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const news = new AbortController()
      const onSettled = (settledId: string) => {
        if (settledId === id) news.abort()
      }
      const onLeave = () => news.abort()
      // Listening before looking: what happens in between is not missed.
      channels.on('settled', onSettled)
      signal.addEventListener('abort', onLeave, { once: true })
      try {
        signal.throwIfAborted()
        const row = await findPresentation(database, { userId, id })
        const leftMs = deadline - performance.now()
        if (!row || (row.status !== 'queued' && row.status !== 'running') || leftMs <= 0) return row
        await sleep(Math.min(pollMs, leftMs), news.signal).catch(() => undefined)
      } finally {
        channels.off('settled', onSettled)
        signal.removeEventListener('abort', onLeave)
      }
    }
  }
}
