// Follows the log of a presentation from a place in it, until the reader has what it wants. Each
// reader reads pages of its own, as fast as its browser takes them.

import { jitterMs } from '../../async/backoff.ts'
import { anySignal, sleep } from '../../async/signals.ts'
import type { Channels } from '../../database/channels.ts'
import type { Database } from '../../database/connection.ts'
import { isDatabaseUnavailable } from '../../database/database-errors.ts'
import { type LoggedEvent, readLogPage } from '../../database/event-log.ts'

export interface LogReading {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe'>
}

export interface FollowRequest {
  id: string
  /** Events with higher numbers are yielded. */
  after: number
  signal: AbortSignal
}

/** An event with its parsed members. */
export interface Followed extends Pick<LoggedEvent, 'kind' | 'run' | 'seq'> {
  data: Record<string, unknown>
}

// A lost hint delays an event by this much at most.
const pollMs = 1_000
const idleMs = 15_000
const pageBytes = 256 * 1024

/**
 * Yields undefined when nothing has happened for a while. Ends when the log is deleted or pruned.
 */
export async function* followLog(
  { database, channels }: LogReading,
  { id, after, signal }: FollowRequest,
): AsyncGenerator<Followed | undefined, void> {
  let cursor = after
  let lastMs = performance.now()
  for (;;) {
    const news = new AbortController()
    // Subscribed before the read, so that no event in between is missed.
    const unsubscribe = channels.subscribe('log', (hint) => {
      if (hint.id === id) news.abort()
    })
    try {
      signal.throwIfAborted()
      const page = await readLogPage(database, { id, after: cursor, maxBytes: pageBytes }).catch(
        (error: unknown) => {
          if (isDatabaseUnavailable(error)) return 'away' as const
          throw error
        },
      )
      if (page === undefined) return
      if (page !== 'away') {
        if (page.isPruned) return
        for (const { kind, run, seq, data } of page.events) {
          yield { kind, run, seq, data: JSON.parse(data) as Followed['data'] }
          cursor = seq
          lastMs = performance.now()
        }
        if (page.hasMore) continue
      }
      if (performance.now() - lastMs > idleMs) {
        yield undefined
        lastMs = performance.now()
      }
      await sleep(jitterMs(pollMs), anySignal(news.signal, signal)).catch(() => undefined)
    } finally {
      unsubscribe()
    }
  }
}
