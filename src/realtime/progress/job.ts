// One run that connections of this process follow. Each state is encoded once for all followers. A
// slow follower falls behind alone and continues with the newest state; a terminal state is always
// sent.

import { encodeMessage } from '../../contract/realtime.ts'
import { isFinished } from '../../domain/status.ts'
import { rowAtEnd, toProgress } from './describe.ts'
import type { JobRow, RunEndRow } from './statements.ts'

export interface JobUpdate {
  row: JobRow
  /** The encoded `job_progress` message. */
  message: Buffer
  isTerminal: boolean
  /** It is of the latest run. */
  isLatest: boolean
}

export interface Follower {
  isReady(): boolean
  onUpdate(update: JobUpdate): void
  onDeleted(id: string): void
}

interface Place {
  /** The last version that was sent; 0 for none. */
  seen: number
  isStarted: boolean
}

interface Current extends JobUpdate {
  key: string
  version: number
}

/** At most this many messages in any such time. A little longer than the second of the promise. */
const maxMessages = 5
const windowMs = 1_050

export type Job = ReturnType<typeof createJob>

export function createJob(id: string, now: () => number) {
  const followers = new Map<Follower, Place>()
  /** Followers that get the first state that becomes known. */
  const waiting = new Set<Follower>()
  /** Times of the last messages, terminal ones left out. */
  const sentMs: number[] = []
  let current: Current | undefined
  let version = 0
  let timer: NodeJS.Timeout | undefined

  /** How long until a message may be sent. */
  function waitMs(): number {
    const first = sentMs.length < maxMessages ? undefined : sentMs[0]
    return first === undefined ? 0 : Math.max(0, first + windowMs - now())
  }

  function offer(row: JobRow, isLatest: boolean) {
    const data = toProgress(row)
    const key = JSON.stringify({ ...data, estimated_completion: null, run: row.run })
    if (current && key === current.key) {
      current.row = row
      current.isLatest = isLatest
      return
    }
    version += 1
    const isTerminal = isFinished(row.status)
    const message = encodeMessage('job_progress', { job_id: id, data })
    current = { row, key, version, isTerminal, isLatest, message }
    if (isTerminal) flush()
    else flushWhenAllowed()
  }

  function flushWhenAllowed() {
    const delayMs = waitMs()
    if (delayMs === 0) flush()
    else timer ??= setTimeout(flushWhenAllowed, delayMs)
  }

  function flush() {
    clearTimeout(timer)
    timer = undefined
    if (!current) return
    let isSent = false
    for (const [follower, place] of followers) {
      if (!place.isStarted || place.seen >= current.version) continue
      if (!current.isTerminal && !follower.isReady()) continue
      isSent = true
      send(follower, place)
    }
    if (!isSent || current.isTerminal) return
    sentMs.push(now())
    if (sentMs.length > maxMessages) sentMs.shift()
  }

  function send(follower: Follower, place: Place) {
    if (!current) return
    place.seen = current.version
    follower.onUpdate(current)
  }

  /** Sends the present state to a follower, as its first. */
  function start(follower: Follower) {
    const place = followers.get(follower)
    if (!place || place.isStarted || !current) return
    waiting.delete(follower)
    place.isStarted = true
    send(follower, place)
  }

  return {
    id,
    waitMs,
    start,
    row: () => current?.row,
    followers: () => followers.size,

    /** `startsAtOnce`: the first state that becomes known is sent without a call of `start`. */
    add(follower: Follower, startsAtOnce: boolean) {
      followers.set(follower, { seen: 0, isStarted: false })
      if (startsAtOnce) waiting.add(follower)
    },

    remove(follower: Follower) {
      followers.delete(follower)
      waiting.delete(follower)
      if (followers.size === 0) clearTimeout(timer)
    },

    /** A newer state, after the ends of runs that were missed. Undefined: it was deleted. */
    take(row: JobRow | undefined, missedEnds: RunEndRow[]) {
      if (!row) {
        clearTimeout(timer)
        const all = [...followers.keys()]
        followers.clear()
        waiting.clear()
        for (const follower of all) follower.onDeleted(id)
        return
      }
      for (const end of missedEnds) if (current) offer(rowAtEnd(current.row, end), false)
      offer(row, true)
      for (const follower of waiting) start(follower)
    },

    /** Sends what the follower missed while it was not ready. */
    catchUp(follower: Follower) {
      const place = followers.get(follower)
      if (place?.isStarted && current && place.seen < current.version) send(follower, place)
    },
  }
}
