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
    const hashes = [...watched.keys()]
    const left = await findTimesLeft(database, hashes).catch(() => undefined)
    const nowMs = performance.now()
    for (const hash of hashes) {
      const entry = watched.get(hash)
      // While the database is away, the time that was known counts.
      const leftMs = left ? (left.get(hash) ?? 0) : (entry?.endsAtMs ?? 0) - nowMs
      if (entry && leftMs > 0) entry.endsAtMs = nowMs + leftMs
      else for (const reader of entry?.readers ?? []) reader.abort(sessionOver)
    }
    isChecking = false
    if (isDue) await check()
    else schedule()
  }

  function schedule(): void {
    clearTimeout(timer)
    if (watched.size === 0) return
    const endsAtMs = [...watched.values()].map((entry) => entry.endsAtMs)
    const untilMs = Math.min(...endsAtMs) - performance.now() + marginMs
    timer = setTimeout(() => void check(), Math.min(Math.max(untilMs, marginMs), pollMs))
  }

  return ({ hash, userId, expiresAt }) => {
    const reader = new AbortController()
    const endsAtMs = performance.now() + expiresAt.getTime() - Date.now()
    const entry = watched.get(hash) ?? { userId, endsAtMs, readers: new Set() }
    entry.readers.add(reader)
    watched.set(hash, entry)
    schedule()
    return {
      ended: reader.signal,
      stop() {
        entry.readers.delete(reader)
        if (entry.readers.size === 0 && watched.get(hash) === entry) watched.delete(hash)
        if (watched.size === 0) clearTimeout(timer)
      },
    }
  }
}
