// All open readers of this process: finds or makes the feed of a presentation, wakes it, polls in
// case a wake was lost, and keeps the bounds on how many readers there may be.

import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import {
  findLogHead,
  type LoggedEvent,
  type LogHead,
  readLogChanges,
  readLogPage,
} from '../database/event-log.ts'
import { Problem } from '../domain/problem.ts'
import { createFeed, type Feed } from './feed.ts'
import { eventFrame } from './sse-frames.ts'
import { createSubscriber, type Subscriber } from './subscriber.ts'

export interface HubOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'on' | 'off'>
  heartbeatMs: number
  maxStreams: number
  maxStreamsPerUser: number
  /** Our presentation as the outside sees it, for a reader whose place in the log is gone. */
  describe: (reader: { userId: string; id: string }) => Promise<object>
  /** The download of the format that the latest run made, for its `complete` event. */
  describeDownload: (reader: { userId: string; id: string }) => Promise<object | null>
  onTrouble: (error: unknown) => void
  onDelivered?: (events: number) => void
  /** In ms since the epoch. */
  now?: () => number
  /** How late a reader may be when every wake is lost, in ms. */
  pollMs?: number
}

export interface SubscribeRequest {
  userId: string
  id: string
  /** The last event it has; 0 for none. */
  lastEventId: number
  /** When its token ends, in ms since the epoch. */
  expiresAtMs?: number | undefined
}

/** What one subscriber reads for itself at a time: as much is held for it, and nobody else. */
const ownPageBytes = 256 * 1024

export type Hub = ReturnType<typeof createHub>

export function createHub(options: HubOptions) {
  const { database, channels, now = Date.now, pollMs = 1_000 } = options
  const feeds = new Map<string, { feed: Feed; subscribers: Set<Subscriber> }>()
  const perUser = new Map<string, number>()
  let open = 0
  let closed = false
  let polling = false
  let pollAgain = false

  function onEvents(id: string, seq: number, committed?: LoggedEvent[]) {
    const feed = feeds.get(id)?.feed
    if (committed) feed?.offer(committed)
    else feed?.heard(seq)
  }

  async function poll(): Promise<void> {
    // What woke us may have come too late for the look that is under way.
    pollAgain = polling
    if (polling || feeds.size === 0) return
    polling = true
    try {
      const seqs: number[] = []
      for (const { feed } of feeds.values()) seqs.push(feed.known())
      const news = await readLogChanges(database, { ids: [...feeds.keys()], seqs })
      for (const [id, { feed, subscribers }] of feeds) {
        if (news.has(id)) {
          const lastSeq = news.get(id)
          if (lastSeq === undefined) feed.look()
          else feed.heard(lastSeq)
        }
        // Whatever met trouble while reading tries again.
        feed.readIfWanted()
        for (const subscriber of subscribers) subscriber.catchUp()
      }
    } catch (error) {
      options.onTrouble(error)
      return
    } finally {
      polling = false
    }
    if (pollAgain) await poll()
  }

  const onAll = () => void poll()
  const onSettled = (id: string) => {
    if (feeds.has(id)) void poll()
  }
  channels.on('events', onEvents)
  channels.on('all', onAll)
  channels.on('settled', onSettled)
  const timer = setInterval(() => {
    for (const { subscribers } of feeds.values())
      for (const subscriber of subscribers) subscriber.tick(options.heartbeatMs)
    if (!polling) void poll()
  }, pollMs)

  function feedOf(id: string, start: { seq: number; lastSeq: number; run: number }) {
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
    const entry = { feed, subscribers }
    feeds.set(id, entry)
    return entry
  }

  async function composeTerminal(reader: SubscribeRequest, event: LoggedEvent): Promise<Buffer> {
    if (!event.data.startsWith('{"type":"complete"')) return eventFrame(event.seq, event.data)
    const download = await options.describeDownload(reader)
    return eventFrame(
      event.seq,
      `${event.data.slice(0, -1)},"download":${JSON.stringify(download)}}`,
    )
  }

  function admit(userId: string) {
    if (closed)
      throw new Problem('INTERNAL_ERROR', {
        status: 503,
        cause: new Error('This replica is shutting down.'),
        retryAfterSeconds: 1,
      })
    const own = perUser.get(userId) ?? 0
    if (open >= options.maxStreams || own >= options.maxStreamsPerUser)
      throw new Problem('TOO_MANY_STREAMS', { retryAfterSeconds: 5 })
    open += 1
    perUser.set(userId, own + 1)
  }

  function release(userId: string) {
    open -= 1
    const own = (perUser.get(userId) ?? 1) - 1
    if (own > 0) perUser.set(userId, own)
    else perUser.delete(userId)
  }

  /**
   * Opens the stream of a log from the reader's last event on; undefined when the run has ended and
   * the reader has it all.
   * @throws Problem NOT_FOUND, TOO_MANY_STREAMS, DATABASE_UNAVAILABLE
   */
  async function follow(reader: SubscribeRequest) {
    admit(reader.userId)
    let admitted = true
    const leave = () => {
      if (admitted) release(reader.userId)
      admitted = false
    }
    try {
      const head = await findLogHead(database, reader)
      if (!head) throw new Problem('NOT_FOUND')
      if (isFinished(head) && reader.lastEventId === head.lastSeq) {
        leave()
        return undefined
      }
      const { cursor, greeting } = await placeOf(reader, head)
      const { feed, subscribers } = feedOf(reader.id, {
        seq: cursor,
        lastSeq: head.lastSeq,
        run: head.run,
      })
      const subscriber: Subscriber = createSubscriber({
        feed,
        userId: reader.userId,
        cursor,
        greeting,
        expiresAtMs: reader.expiresAtMs,
        readPage: (after) =>
          readLogPage(database, { id: reader.id, after, maxBytes: ownPageBytes }),
        now,
        composeTerminal: (event) => composeTerminal(reader, event),
        onTrouble: options.onTrouble,
        onDelivered: (events) => options.onDelivered?.(events),
        onClose: () => {
          subscribers.delete(subscriber)
          if (subscribers.size === 0) feeds.delete(reader.id)
          leave()
        },
      })
      subscribers.add(subscriber)
      feed.heard(head.lastSeq, head.run)
      if (isFinished(head) && cursor === head.lastSeq) subscriber.close()
      if (closed) subscriber.close()
      return subscriber.stream
    } catch (error) {
      leave()
      throw error
    }
  }

  /** Where a reader goes on, and what it must be told first when that isn't where it was. */
  async function placeOf(
    reader: SubscribeRequest,
    head: LogHead,
  ): Promise<{ cursor: number; greeting: Buffer[] }> {
    const pruned = reader.lastEventId < head.firstSeq - 1
    if (!pruned && reader.lastEventId <= head.lastSeq)
      return { cursor: reader.lastEventId, greeting: [] }
    const cursor = pruned ? head.firstSeq - 1 : head.lastSeq
    const presentation = await options.describe(reader)
    return {
      cursor,
      greeting: [eventFrame(cursor, JSON.stringify({ type: 'resync', presentation }))],
    }
  }

  return {
    follow,
    openStreams: () => open,
    /** Ends every stream after its last whole event. */
    close() {
      closed = true
      clearInterval(timer)
      channels.off('events', onEvents)
      channels.off('all', onAll)
      channels.off('settled', onSettled)
      for (const { subscribers } of feeds.values())
        for (const subscriber of subscribers) subscriber.close()
    },
  }
}

function isFinished({ status }: LogHead): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
}
