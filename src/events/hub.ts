// All open subscriptions of this process: finds or creates the feed of a presentation, polls in
// case a hint was lost, and limits how many subscriptions may be open.

import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { findLogHead, type LogHead, readLogChanges, readLogPage } from '../database/event-log.ts'
import { Problem } from '../domain/problem.ts'
import { isFinished } from '../domain/status.ts'
import { createFeed, type Feed, type FeedStart } from './feed.ts'
import { eventFrame } from './sse-frames.ts'
import { createStreamLimit } from './stream-limit.ts'
import { createSubscriber, type Subscriber } from './subscriber.ts'
import { createTerminalFrames } from './terminal-frame.ts'

/** A presentation and its owner. */
export interface LogOwner {
  userId: string
  id: string
}

export interface HubOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe' | 'subscribeMissed'>
  heartbeatMs: number
  maxStreams: number
  maxStreamsPerUser: number
  /** The presentation on the wire, for a subscriber whose place in the log is gone. */
  describe: (owner: LogOwner) => Promise<object>
  /** The download of the file that the latest run made. */
  describeDownload: (owner: LogOwner) => Promise<object | null>
  onTrouble: (error: unknown) => void
  onDelivered?: (events: number) => void
  /** A clock that is never set, in ms. */
  now?: () => number
  /** How late an event may be when every hint is lost, in ms. */
  pollMs?: number
}

export interface SubscribeRequest extends LogOwner {
  /** The last event that the client has; 0 for none. */
  lastEventId: number
  /** When its token expires, in ms since the epoch. */
  expiresAtMs?: number | undefined
}

interface FeedEntry {
  feed: Feed
  subscribers: Set<Subscriber>
  terminalFrame: ReturnType<typeof createTerminalFrames>
}

/** The most that one subscriber reads for itself at a time. */
const ownPageBytes = 256 * 1024

export type Hub = ReturnType<typeof createHub>

export function createHub(options: HubOptions) {
  const { database, channels, now = () => performance.now(), pollMs = 1_000 } = options
  const feeds = new Map<string, FeedEntry>()
  const limit = createStreamLimit(options)
  let isClosed = false
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

  function openFeed({ userId, id }: LogOwner, start: FeedStart): FeedEntry {
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
  }

  function refuseWhileClosing() {
    if (!isClosed) return
    throw new Problem('INTERNAL_ERROR', {
      status: 503,
      cause: new Error('This replica is shutting down.'),
      retryAfterSeconds: 1,
    })
  }

  /**
   * Opens the SSE stream of a log after the client's last event; undefined when the latest run has
   * ended and the client has all events.
   *
   * @throws Problem NOT_FOUND, TOO_MANY_STREAMS, DATABASE_UNAVAILABLE
   */
  async function follow(request: SubscribeRequest) {
    const { userId, id, lastEventId, expiresAtMs } = request
    refuseWhileClosing()
    const release = limit.take(userId)
    try {
      const head = await findLogHead(database, request)
      if (!head) throw new Problem('NOT_FOUND')
      if (isFinished(head.status) && lastEventId === head.lastSeq) {
        release()
        return undefined
      }
      const { cursor, firstFrames } = await findStart(request, head)
      const start = { seq: cursor, lastSeq: head.lastSeq, run: head.run }
      const { feed, subscribers, terminalFrame } = openFeed({ userId, id }, start)
      const subscriber: Subscriber = createSubscriber({
        feed,
        userId,
        cursor,
        firstFrames,
        expiresAtMs,
        readPage: (after) => readLogPage(database, { id, after, maxBytes: ownPageBytes }),
        now,
        terminalFrame,
        onTrouble: options.onTrouble,
        onDelivered: (events) => options.onDelivered?.(events),
        onClose: () => {
          subscribers.delete(subscriber)
          if (subscribers.size === 0) feeds.delete(id)
          release()
        },
      })
      subscribers.add(subscriber)
      feed.announce(head.lastSeq, head.run)
      // After a resync the cursor may be at the end as well.
      const hasEverything = isFinished(head.status) && cursor === head.lastSeq
      if (hasEverything || isClosed) subscriber.close()
      return subscriber.stream
    } catch (error) {
      release()
      throw error
    }
  }

  /** Where the client continues, and a resync event if that is not where it was. */
  async function findStart(
    request: SubscribeRequest,
    { firstSeq, lastSeq }: LogHead,
  ): Promise<{ cursor: number; firstFrames: Buffer[] }> {
    const { lastEventId } = request
    const isPruned = lastEventId < firstSeq - 1
    if (!isPruned && lastEventId <= lastSeq) return { cursor: lastEventId, firstFrames: [] }
    const cursor = isPruned ? firstSeq - 1 : lastSeq
    const presentation = await options.describe(request)
    const data = JSON.stringify({ type: 'resync', presentation })
    return { cursor, firstFrames: [eventFrame({ seq: cursor, data })] }
  }

  return {
    follow,
    openStreams: limit.open,
    /** Counts another stream, as `follow` does. @throws Problem TOO_MANY_STREAMS */
    takeStream: limit.take,
    /** Ends every stream after its last whole event. */
    close() {
      isClosed = true
      clearInterval(timer)
      for (const stop of unsubscribe) stop()
      for (const { subscribers } of feeds.values()) {
        for (const subscriber of subscribers) subscriber.close()
      }
    },
  }
}
