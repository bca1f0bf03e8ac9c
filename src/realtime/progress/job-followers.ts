// The followers of one run, and the pace at which they get its states. A slow follower falls behind
// alone and continues with the newest state; a terminal state is always sent.

import type { JobMessage, JobUpdate } from './job-message.ts'
import { createMessageWindow, type MessageWindow } from './message-window.ts'

export interface Follower {
  isReady(): boolean
  /** Whether it counts as a subscription now. */
  isSubscribed(): boolean
  onUpdate(update: JobUpdate): void
  onDeleted(id: string): void
}

interface Place {
  /** The last version that was sent; 0 for none. */
  seen: number
  isStarted: boolean
  /** A follower that catches up has a limit of its own, so that it delays no other. */
  window: MessageWindow
}

export interface JobFollowersOptions {
  message: JobMessage
  isWatched: () => boolean
  /** A clock that is never set, in ms. */
  now: () => number
}

export function createJobFollowers({ message, isWatched, now }: JobFollowersOptions) {
  const places = new Map<Follower, Place>()
  /** Followers that get the first state that becomes known. */
  const waiting = new Set<Follower>()
  const window = createMessageWindow(now)
  /** The last version that the limit has let pass. */
  let passed = 0
  let timer: NodeJS.Timeout | undefined

  const version = () => message.current()?.version ?? 0

  function send(follower: Follower, place: Place) {
    const update = message.fresh()
    if (!update) return
    place.seen = update.version
    follower.onUpdate(update)
  }

  function sendWhenAllowed() {
    const delayMs = passed === version() ? 0 : window.waitMs()
    if (delayMs === 0) sendNow()
    else timer ??= setTimeout(onTimer, delayMs)
  }

  function onTimer() {
    // Timers may fire early, and then another one must be set.
    timer = undefined
    sendWhenAllowed()
  }

  function stopTimer() {
    clearTimeout(timer)
    timer = undefined
  }

  function sendNow() {
    stopTimer()
    const current = message.current()
    if (!current) return
    let isSent = false
    let delayMs = Number.POSITIVE_INFINITY
    for (const [follower, place] of places) {
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
    const isCounted = (isSent || isWatched()) && !current.isTerminal
    if (isCounted && passed < current.version) window.record()
    passed = current.version
    if (delayMs < Number.POSITIVE_INFINITY) timer = setTimeout(onTimer, delayMs)
  }

  function start(follower: Follower) {
    const place = places.get(follower)
    if (!place || place.isStarted || !message.current()) return
    waiting.delete(follower)
    place.isStarted = true
    send(follower, place)
  }

  return {
    /** How long until a new state may be sent. */
    waitMs: window.waitMs,
    count: () => places.size,
    all: () => [...places.keys()],
    subscriptions: () => [...places.keys()].filter((each) => each.isSubscribed()).length,
    sendNow,
    sendWhenAllowed,

    /** `startsAtOnce`: the first state that becomes known is sent without a call of `start`. */
    add(follower: Follower, startsAtOnce: boolean) {
      places.set(follower, { seen: 0, isStarted: false, window: createMessageWindow(now) })
      if (startsAtOnce) waiting.add(follower)
    },

    /** Sends the present state to a follower, as its first. */
    start,

    startWaiting() {
      for (const follower of waiting) start(follower)
    },

    remove(follower: Follower) {
      places.delete(follower)
      waiting.delete(follower)
      if (places.size === 0) stopTimer()
    },

    clear() {
      stopTimer()
      places.clear()
      waiting.clear()
    },

    /** Sends what the follower missed while it was not ready. */
    catchUp(follower: Follower) {
      const place = places.get(follower)
      const current = message.current()
      if (!place?.isStarted || !current || place.seen === current.version) return
      if (current.isTerminal) return send(follower, place)
      // The timer of a state that was not sent yet will find this follower ready.
      if (passed < current.version) return
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
      const place = places.get(follower)
      if (place?.isStarted) send(follower, place)
    },
  }
}
