// One run that connections of this process follow. Each state is encoded once for all followers. A
// slow follower falls behind alone and continues with the newest state; a terminal state is always
// sent.

import { encodeMessage } from '../../contract/realtime.ts'
import { isFinished } from '../../domain/status.ts'
import { rowAfter, rowAtEnd, toProgress } from './describe.ts'
import { createMessageWindow, type MessageWindow } from './message-window.ts'
import type { JobRow, StateEventRow } from './statements.ts'

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
  /** Whether it counts as a subscription now. */
  isSubscribed(): boolean
  onUpdate(update: JobUpdate): void
  onDeleted(id: string): void
}

/** Gets each change of status or stage, without a limit, from when it is added. */
export interface Watcher {
  onState(row: JobRow): void
  onDeleted(id: string): void
}

interface Place {
  /** The last version that was sent; 0 for none. */
  seen: number
  isStarted: boolean
  /** A follower that catches up has a limit of its own, so that it delays no other. */
  window: MessageWindow
}

interface Current extends JobUpdate {
  key: string
  version: number
  encodedMs: number
}

/** A message that is older is encoded again: its timestamp and its estimate are out of date. */
const maxMessageAgeMs = 10

export type Job = ReturnType<typeof createJob>

/** `now` is a clock that is never set, in ms. */
export function createJob(id: string, now: () => number) {
  const followers = new Map<Follower, Place>()
  /** Followers that get the first state that becomes known. */
  const waiting = new Set<Follower>()
  /** With the status and stage that each knows; undefined before it is started. */
  const watchers = new Map<Watcher, string | undefined>()
  const window = createMessageWindow(now)
  let current: Current | undefined
  let version = 0
  /** The last version that the limit has let pass. */
  let passed = 0
  let timer: NodeJS.Timeout | undefined

  function offer(row: JobRow, isLatest: boolean) {
    const data = toProgress(row)
    const key = JSON.stringify({ ...data, estimated_completion: null, run: row.run })
    if (current && key === current.key) {
      current = { ...current, row, isLatest }
      return
    }
    version += 1
    const isTerminal = isFinished(row.status)
    const message = encodeMessage('job_progress', { job_id: id, data })
    current = { row, key, version, isTerminal, isLatest, message, encodedMs: now() }
    if (isTerminal) flush()
    else flushWhenAllowed()
  }

  /** The present state as a message. All that get it at the same time share the bytes. */
  function present(): Current | undefined {
    if (!current || now() - current.encodedMs < maxMessageAgeMs) return current
    const data = toProgress(current.row)
    const message = encodeMessage('job_progress', { job_id: id, data })
    current = { ...current, message, encodedMs: now() }
    return current
  }

  function flushWhenAllowed() {
    const delayMs = passed === version ? 0 : window.waitMs()
    if (delayMs === 0) flush()
    else timer ??= setTimeout(onTimer, delayMs)
  }

  function onTimer() {
    // Timers may fire early, and then another one must be set.
    timer = undefined
    flushWhenAllowed()
  }

  function stopTimer() {
    clearTimeout(timer)
    timer = undefined
  }

  function flush() {
    stopTimer()
    if (!current) return
    let isSent = false
    let delayMs = Number.POSITIVE_INFINITY
    for (const [follower, place] of followers) {
      if (!place.isStarted || place.seen >= current.version) continue
      if (!current.isTerminal) {
        if (!follower.isReady()) continue
        const waitMs = place.window.waitMs()
        delayMs = Math.min(delayMs, waitMs || delayMs)
        if (waitMs > 0) continue
        place.window.record()
      }
      isSent = true
      send(follower, place)
    }
    // Reads keep to the limit as well, also for watchers alone.
    const isCounted = (isSent || watchers.size > 0) && !current.isTerminal
    if (isCounted && passed < current.version) window.record()
    passed = current.version
    if (delayMs < Number.POSITIVE_INFINITY) timer = setTimeout(onTimer, delayMs)
  }

  function tellWatchers(states: JobRow[]) {
    for (const [watcher, known] of watchers) {
      if (known === undefined) continue
      let last = known
      for (const row of states) {
        if (stateOf(row) === last) continue
        last = stateOf(row)
        watchers.set(watcher, last)
        watcher.onState(row)
      }
    }
  }

  function send(follower: Follower, place: Place) {
    const update = present()
    if (!update) return
    place.seen = update.version
    follower.onUpdate(update)
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
    waitMs: window.waitMs,
    start,
    row: () => current?.row,
    isIdle: () => followers.size === 0 && watchers.size === 0,
    isWatched: () => watchers.size > 0,
    subscriptions: () => [...followers.keys()].filter((each) => each.isSubscribed()).length,

    /** `startsAtOnce`: the first state that becomes known is sent without a call of `start`. */
    add(follower: Follower, startsAtOnce: boolean) {
      followers.set(follower, { seen: 0, isStarted: false, window: createMessageWindow(now) })
      if (startsAtOnce) waiting.add(follower)
    },

    remove(follower: Follower) {
      followers.delete(follower)
      waiting.delete(follower)
      if (followers.size === 0) stopTimer()
    },

    watch: (watcher: Watcher) => void watchers.set(watcher, undefined),
    /** The present state only says where the changes begin. */
    startWatching(watcher: Watcher) {
      if (current && watchers.has(watcher)) watchers.set(watcher, stateOf(current.row))
    },
    unwatch: (watcher: Watcher) => void watchers.delete(watcher),

    /**
     * A newer state, after the ends of runs and the changes that were missed. Undefined: it was
     * deleted.
     */
    take(
      row: JobRow | undefined,
      missedEnds: StateEventRow[],
      missedChanges: StateEventRow[] = [],
    ) {
      if (!row) {
        stopTimer()
        const all = [...followers.keys(), ...watchers.keys()]
        followers.clear()
        watchers.clear()
        waiting.clear()
        for (const follower of all) follower.onDeleted(id)
        return
      }
      const changes: JobRow[] = []
      for (const change of missedChanges) {
        const known = changes.at(-1) ?? current?.row
        if (known) changes.push(rowAfter(known, change))
      }
      for (const end of missedEnds) if (current) offer(rowAtEnd(current.row, end), false)
      offer(row, true)
      for (const follower of waiting) start(follower)
      tellWatchers([...changes, row])
    },

    /** Sends what the follower missed while it was not ready. */
    catchUp(follower: Follower) {
      const place = followers.get(follower)
      if (!place?.isStarted || !current || place.seen === current.version) return
      if (current.isTerminal) return send(follower, place)
      // The timer of a state that was not sent yet will find this follower ready.
      if (passed < version) return
      const waitMs = place.window.waitMs()
      if (waitMs > 0) {
        timer ??= setTimeout(onTimer, waitMs)
      } else {
        place.window.record()
        send(follower, place)
      }
    },

    /** Sends the present state once more to a follower that asks for it. */
    repeat(follower: Follower) {
      const place = followers.get(follower)
      if (place?.isStarted) send(follower, place)
    },
  }
}

const stateOf = ({ status, stage }: JobRow) => `${status} ${stage}`
