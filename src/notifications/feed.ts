// Wakes the notification connections of this process when there is news for them. Hints make that
// quick; a poll of the counters finds what a lost hint would have told.

import { setMaxListeners } from 'node:events'
import { createBatcher } from '../async/batcher.ts'
import { createLimiter } from '../async/limiter.ts'
import { channelOfUser, generalChannel } from '../contract/notification.ts'
import type { ChannelMessages, Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { isDatabaseUnavailable } from '../database/database-errors.ts'
import { Problem } from '../domain/problem.ts'
import {
  type News,
  type NewsRequest,
  type Position,
  readHeads,
  readNews,
  readStreamStart,
} from './statements/read.ts'

export type ChangeMessage = ChannelMessages['notification_change']

/** An open connection. */
export interface Listener {
  userId: string
  /** What it has delivered; undefined until it has begun. */
  position: () => Position | undefined
  /** It reads already, or waits for its turn to read. */
  isBusy: () => boolean
  /** There may be news. */
  wake: () => void
  onChange: (change: ChangeMessage) => void
  /** Channels beside `general` and the user's own. */
  extraChannels: () => number
}

export interface NotificationFeedOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe' | 'subscribeMissed'>
  onTrouble: (error: unknown) => void
  pollMs?: number
}

/** Two batches: one that is read, and the next. */
const maxPendingReads = 200

export type NotificationFeed = ReturnType<typeof createNotificationFeed>

export function createNotificationFeed(options: NotificationFeedOptions) {
  const { database, channels, onTrouble, pollMs = 1_000 } = options
  const listeners = new Map<string, Set<Listener>>()
  let isPolling = false

  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  // An announcement wakes all connections at once, more than the batcher lets wait.
  const limiter = createLimiter(maxPendingReads)
  const reads = createBatcher<NewsRequest, News>({
    process: (requests) => readNews(database, requests),
    overloaded: () => new Problem('DATABASE_UNAVAILABLE', { retryAfterSeconds: 5 }),
    isSharedFailure: isDatabaseUnavailable,
  })

  function* all() {
    for (const own of listeners.values()) yield* own
  }

  function wakeAll() {
    for (const listener of all()) listener.wake()
  }

  async function poll(): Promise<void> {
    if (isPolling || listeners.size === 0) return
    isPolling = true
    try {
      const users = [...listeners.keys()]
      const heads = await readHeads(database, [generalChannel, ...users.map(channelOfUser)])
      const general = heads.get(generalChannel) ?? 0
      for (const listener of all()) {
        const position = listener.position()
        const own = heads.get(channelOfUser(listener.userId)) ?? 0
        const isBehind = !position || position.own < own || position.general < general
        // One that waits for its turn would only read twice.
        if (isBehind && !listener.isBusy()) listener.wake()
      }
    } catch (error) {
      onTrouble(error)
    } finally {
      isPolling = false
    }
  }

  const unsubscribe = [
    channels.subscribe('notification', ({ id: channel }) => {
      if (channel === generalChannel) return wakeAll()
      const userId = channel.slice(channelOfUser('').length)
      for (const listener of listeners.get(userId) ?? []) listener.wake()
    }),
    channels.subscribe('notification_change', (change) => {
      for (const listener of listeners.get(change.userId) ?? []) listener.onChange(change)
    }),
    channels.subscribeMissed(() => void poll()),
  ]
  const timer = setInterval(() => void poll(), pollMs)
  timer.unref()

  return {
    read: (request: NewsRequest) => limiter.run(closing.signal, () => reads.add(request)),
    readStart: (userId: string) => readStreamStart(database, userId),
    onTrouble,
    poll,

    add(listener: Listener) {
      const own = listeners.get(listener.userId) ?? new Set()
      listeners.set(listener.userId, own.add(listener))
    },

    remove(listener: Listener) {
      const own = listeners.get(listener.userId)
      own?.delete(listener)
      if (own?.size === 0) listeners.delete(listener.userId)
    },

    /** How many channels have a connection in this process. */
    countChannels(): number {
      let extra = 0
      for (const listener of all()) extra += listener.extraChannels()
      return listeners.size === 0 ? 0 : 1 + listeners.size + extra
    },

    close() {
      clearInterval(timer)
      closing.abort(new Error('The feed is closed.'))
      for (const stop of unsubscribe) stop()
    },
  }
}
