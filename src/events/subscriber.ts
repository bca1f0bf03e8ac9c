// One open SSE subscription to a log, as a byte stream. It advances as fast as its client reads:
// while the client does not, nothing is read for it. Other subscribers and the run never wait.

import type { LoggedEvent, LogPage } from '../database/event-log.ts'
import { heartbeatFrame, retryFrame } from '../http/event-stream.ts'
import { encodeOnce, type Feed, type FeedEvent, toFeedEvent } from './feed.ts'
import { createFrameStream } from './frame-stream.ts'
import { eventFrame, noticeFrame } from './sse-frames.ts'

export interface SubscriberOptions {
  feed: Feed
  userId: string
  cursor: number
  /** Sent first, after the reconnection time. */
  firstFrames: Buffer[]
  /** When the token of the subscription expires, in ms since the epoch. */
  expiresAtMs: number | undefined
  readPage: (after: number) => Promise<LogPage | undefined>
  /** The frame of a terminal event; subscribers of one second may share it. */
  terminalFrame: (event: LoggedEvent) => Promise<Buffer>
  onTrouble: (error: unknown) => void
  onDelivered: (events: number) => void
  onClose: () => void
  /** A clock that is never set, in ms. */
  now: () => number
}

export type Subscriber = ReturnType<typeof createSubscriber>

// A client that reads nothing for this long is gone, even if its socket seems open.
const stalledMs = 60_000
const reconnectMs = 2_000

export function createSubscriber(options: SubscriberOptions) {
  const { feed } = options
  let cursor = options.cursor
  let isPumping = false
  const frames = createFrameStream({
    firstFrames: [retryFrame(reconnectMs), ...options.firstFrames],
    onWritable: () => void pump(),
    onClose: options.onClose,
    now: options.now,
  })
  const { stream, flush, end, isWritable, isEnding } = frames

  /** Delivers events while the client takes them and there are any. */
  async function pump(): Promise<void> {
    if (isPumping || isEnding()) return
    isPumping = true
    try {
      while (isWritable() && !isEnding()) {
        const logEnd = feed.end()
        // After a pruned log the client reconnects and gets a resync event.
        if (logEnd) return end(...(logEnd === 'pruned' ? [retryFrame(reconnectMs)] : []))
        const events = feed.after(cursor) ?? (await readOwnPage())
        if (events.length === 0) break
        await deliver(events)
      }
    } catch (error) {
      // The database or the store is away. The next hint or poll continues.
      options.onTrouble(error)
      return
    } finally {
      isPumping = false
    }
    feed.readIfWanted()
  }

  async function readOwnPage(): Promise<FeedEvent[]> {
    const page = await options.readPage(cursor)
    if (page && !page.isPruned) {
      feed.announce(0, page.latestRun)
      return page.events.map(toFeedEvent)
    }
    end(...(page ? [retryFrame(reconnectMs)] : []))
    return []
  }

  /** Delivers as many events as the client takes. The cursor marks where to continue. */
  async function deliver(events: FeedEvent[]): Promise<void> {
    for (const event of events) {
      if (!isWritable() || isEnding()) return
      if (event.terminal) {
        flush()
        await deliverTerminal(event)
        continue
      }
      cursor = event.seq
      options.onDelivered(1)
      frames.push(encodeOnce(event, eventFrame))
    }
    flush()
  }

  /** Only the latest run's terminal event is delivered; it ends the stream. */
  async function deliverTerminal(event: FeedEvent): Promise<void> {
    if (event.run >= feed.latestRun()) {
      const frame = await options.terminalFrame(event)
      if (isEnding()) return
      options.onDelivered(1)
      end(frame)
    }
    cursor = event.seq
  }

  return {
    stream,
    userId: options.userId,
    /** It has delivered everything and waits for more. */
    isHungry: () => isWritable() && !isEnding() && !isPumping,
    wake: () => void pump(),
    /** Continues after trouble. Costs nothing when there is nothing to deliver. */
    catchUp() {
      if (cursor < feed.tail()) void pump()
    },
    /** Called every second: heartbeats, the end of the token, stalled clients. */
    tick(heartbeatMs: number) {
      if (frames.isClosed()) return
      const idleMs = frames.idleMs()
      if (!isWritable() && idleMs >= stalledMs) stream.destroy()
      else if (options.expiresAtMs !== undefined && Date.now() >= options.expiresAtMs) {
        end(tokenExpiredFrame)
      } else if (isWritable() && idleMs >= heartbeatMs - 500) {
        frames.push(heartbeatFrame)
        flush()
      }
    },
    /** Ends after the last whole event, and says when to reconnect. */
    close() {
      end(retryFrame(reconnectMs))
    },
  }
}

const tokenExpiredFrame = noticeFrame({
  type: 'status',
  status: 'The token has expired. Reconnect with a new one.',
  code: 'TOKEN_EXPIRED',
})
