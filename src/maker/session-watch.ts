// Ends what is open for a session when the session ends: by its time, which a renewal moves, or by
// sign-out, perhaps at another replica. A hint leads to a look at the table; a lost one delays it.

import type { Channels } from '../database/channels.ts'
import type { Queryable } from '../database/connection.ts'
import { findTimesLeft, type MakerSession } from './statements/sessions.ts'

export interface SessionWatchOptions {
  database: Queryable
  channels: Pick<Channels, 'subscribe' | 'subscribeMissed'>
}

/** Returns a signal that aborts when the session ends, and what stops watching it. */
export type WatchSession = (session: MakerSession) => { ended: AbortSignal; stop: () => void }

interface Watched {
  userId: string
  endsAtMs: number
  readers: Set<AbortController>
}

const pollMs = 5_000
/** The table decides by its own clock, which may be a little behind. */
const marginMs = 20

const sessionOver = new Error('The session of the slide maker has ended.')

export function createSessionWatch({ database, channels }: SessionWatchOptions): WatchSession {
  /** By the hash of the session. */
  const watched = new Map<string, Watched>()
  let timer: NodeJS.Timeout | undefined
  /** When the timer fires. */
  let dueMs = Number.POSITIVE_INFINITY
  let isChecking = false
  let isDue = false

  channels.subscribe('maker_sessions', ({ id }) => {
    if ([...watched.values()].some(({ userId }) => userId === id)) void check()
  })
  channels.subscribeMissed(() => void check())

  async function check(): Promise<void> {
    isDue = isChecking
    if (isChecking) return
    isChecking = true
    cancel()
    const hashes = [...watched.keys()]
    const left = await findTimesLeft(database, hashes).catch(() => undefined)
    const nowMs = performance.now()
    for (const hash of hashes) {
      const entry = watched.get(hash)
      if (!entry) continue
      // While the database is away, the time that was known counts.
      const leftMs = left ? (left.get(hash) ?? 0) : entry.endsAtMs - nowMs
      if (leftMs > 0) entry.endsAtMs = nowMs + leftMs
      else {
        watched.delete(hash)
        for (const reader of entry.readers) reader.abort(sessionOver)
      }
    }
    isChecking = false
    if (isDue) return check()
    for (const { endsAtMs } of watched.values()) lookAt(endsAtMs + marginMs)
  }

  /** Looks then, or after the poll, unless it looks earlier anyway. */
  function lookAt(timeMs: number): void {
    const nowMs = performance.now()
    const atMs = Math.min(Math.max(timeMs, nowMs + marginMs), nowMs + pollMs)
    if (dueMs <= atMs) return
    cancel()
    dueMs = atMs
    timer = setTimeout(() => void check(), atMs - nowMs)
  }

  function cancel(): void {
    clearTimeout(timer)
    dueMs = Number.POSITIVE_INFINITY
  }

  return ({ hash, userId, expiresAt }) => {
    const reader = new AbortController()
    const endsAtMs = performance.now() + expiresAt.getTime() - Date.now()
    const entry = watched.get(hash) ?? { userId, endsAtMs, readers: new Set() }
    entry.readers.add(reader)
    watched.set(hash, entry)
    lookAt(endsAtMs + marginMs)
    return {
      ended: reader.signal,
      stop() {
        entry.readers.delete(reader)
        if (entry.readers.size === 0 && watched.get(hash) === entry) watched.delete(hash)
        if (watched.size === 0) cancel()
      },
    }
  }
}
