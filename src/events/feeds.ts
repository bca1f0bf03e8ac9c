// The feeds of this process, one for each presentation with subscribers, and their news: hints, and
// a poll in case a hint was lost.

import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { readLogChanges, readLogPage } from '../database/event-log.ts'
import { createFeed, type Feed, type FeedStart } from './feed.ts'
import type { Subscriber } from './subscriber.ts'
import { createTerminalFrames } from './terminal-frame.ts'

/** A presentation and its owner. */
export interface LogOwner {
  userId: string
  id: string
}

export interface FeedsOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe' | 'subscribeMissed'>
  heartbeatMs: number
  /** The download of the file that the latest run made. */
  describeDownload: (owner: LogOwner) => Promise<object | null>
  onTrouble: (error: unknown) => void
  /** A clock that is never set, in ms. */
  now: () => number
  /** How late an event may be when every hint is lost, in ms. */
  pollMs: number
}

interface FeedEntry {
  feed: Feed
  subscribers: Set<Subscriber>
  terminalFrame: ReturnType<typeof createTerminalFrames>
}

export function openFeeds(options: FeedsOptions) {
  const { database, channels, now, pollMs } = options
  const feeds = new Map<string, FeedEntry>()
  let isPolling = false
  let isPollRequested = false

  async function poll(): Promise<void> {
    // A poll that runs now may have read before the news, so it is followed by one more.
    isPollRequested = isPolling
    if (isPolling || feeds.size === 0) return
    isPolling = true
    try {
      const seqs: number[] = []
      for (const { feed } of feeds.values()) seqs.push(feed.known())
      const changes = await readLogChanges(database, { ids: [...feeds.keys()], seqs })
      for (const [id, { feed, subscribers }] of feeds) {
        if (changes.has(id)) {
          const lastSeq = changes.get(id)
          // Without a last number the presentation is gone.
          if (lastSeq === undefined) feed.check()
          else feed.announce(lastSeq)
        }
        // A feed whose read failed tries again.
        feed.readIfWanted()
        for (const subscriber of subscribers) subscriber.catchUp()
      }
    } catch (error) {
      options.onTrouble(error)
      return
    } finally {
      isPolling = false
    }
    if (isPollRequested) await poll()
  }

  const unsubscribe = [
    channels.subscribe('log', ({ id, seq, committed }) => {
      const feed = feeds.get(id)?.feed
      if (committed) feed?.offer(committed)
      else feed?.announce(seq)
    }),
    channels.subscribe('status', ({ id }) => {
      if (feeds.has(id)) void poll()
    }),
    channels.subscribeMissed(() => void poll()),
  ]
  const timer = setInterval(() => {
    for (const { subscribers } of feeds.values()) {
      for (const subscriber of subscribers) subscriber.tick(options.heartbeatMs)
    }
    if (!isPolling) void poll()
  }, pollMs)

  return {
    /** The feed of a presentation; a new one begins at `start`. */
    open({ userId, id }: LogOwner, start: FeedStart): FeedEntry {
      const present = feeds.get(id)
      if (present) return present
      const subscribers = new Set<Subscriber>()
      const feed = createFeed(start, {
        readPage: (after) => readLogPage(database, { id, after }),
        isWanted: () => [...subscribers].some((subscriber) => subscriber.isHungry()),
        onNews: () => {
          for (const subscriber of subscribers) subscriber.wake()
        },
        onTrouble: options.onTrouble,
      })
      const readDownload = () => options.describeDownload({ userId, id })
      const terminalFrame = createTerminalFrames(readDownload, now)
      const entry = { feed, subscribers, terminalFrame }
      feeds.set(id, entry)
      return entry
    },

    /** Forgets a feed without subscribers. */
    closeIfIdle(id: string) {
      if (feeds.get(id)?.subscribers.size === 0) feeds.delete(id)
    },

    /** Ends every stream after its last whole event. */
    close() {
      clearInterval(timer)
      for (const stop of unsubscribe) stop()
      for (const { subscribers } of feeds.values()) {
        for (const subscriber of subscribers) subscriber.close()
      }
    },
  }
}
