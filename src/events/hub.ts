// All open subscriptions of this process: where each begins in its log, and how many may be open.

import { findLogHead, type LogHead, readLogPage } from '../database/event-log.ts'
import { Problem } from '../domain/problem.ts'
import { isFinished } from '../domain/status.ts'
import { type FeedsOptions, type LogOwner, openFeeds } from './feeds.ts'
import { eventFrame } from './sse-frames.ts'
import { createStreamLimit } from './stream-limit.ts'
import { createSubscriber, type Subscriber } from './subscriber.ts'

export interface HubOptions extends Omit<FeedsOptions, 'now' | 'pollMs'> {
  maxStreams: number
  maxStreamsPerUser: number
  /** The presentation on the wire, for a subscriber whose place in the log is gone. */
  describe: (owner: LogOwner) => Promise<object>
  onDelivered?: (events: number) => void
  now?: () => number
  pollMs?: number
}

export interface SubscribeRequest extends LogOwner {
  /** The last event that the client has; 0 for none. */
  lastEventId: number
  /** When its token expires, in ms since the epoch. */
  expiresAtMs?: number | undefined
}

/** The most that one subscriber reads for itself at a time. */
const ownPageBytes = 256 * 1024

export type Hub = ReturnType<typeof createHub>

export function createHub(options: HubOptions) {
  const { database, now = () => performance.now(), pollMs = 1_000 } = options
  const feeds = openFeeds({ ...options, now, pollMs })
  const limit = createStreamLimit(options)
  let isClosed = false

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
      const { feed, subscribers, terminalFrame } = feeds.open({ userId, id }, start)
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
          feeds.closeIfIdle(id)
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
      feeds.close()
    },
  }
}
