// One open reader of a log, as a byte stream. It goes at its reader's pace: when that doesn't take,
// nothing is read for it, and it goes on from the log later. Others, and the run, never wait for
// it.
import { Readable } from 'node:stream'
import type { LoggedEvent, LogPage } from '../database/event-log.ts'
import { type Feed, type Frame, toFrame } from './feed.ts'
import { heartbeatFrame, noticeFrame, retryFrame } from './sse-frames.ts'

export interface SubscriberOptions {
  feed: Feed
  userId: string
  cursor: number
  /** Sent before anything else, beside the reconnection time. */
  greeting: Buffer[]
  /** When the reader's token ends, in ms since the epoch. */
  expiresAtMs: number | undefined
  readPage: (after: number) => Promise<LogPage | undefined>
  /** The last event of a run, as this reader gets it. */
  composeTerminal: (event: LoggedEvent) => Promise<Buffer>
  onTrouble: (error: unknown) => void
  onDelivered: (events: number) => void
  onClose: () => void
  /** In ms since the epoch. */
  now: () => number
}

export type Subscriber = ReturnType<typeof createSubscriber>

// A reader that takes no byte for this long is gone, whatever its socket says.
const stalledMs = 60_000
// Large events go out in pieces: a slow reader is seen to take them, and one event that is larger
// than its buffers does not end it.
const pieceBytes = 16 * 1024
const bufferedBytes = 64 * 1024
const reconnectMs = 2_000

export function createSubscriber(options: SubscriberOptions) {
  const { feed, now } = options
  let cursor = options.cursor
  /** What goes out next. The bytes are shared with other subscribers. */
  const queue: Buffer[] = [retryFrame(reconnectMs), ...options.greeting]
  let queuedBytes = 0
  /** The reader takes bytes now. */
  let taking = false
  let pumping = false
  let ending = false
  let closed = false
  let lastMoveMs = now()

  const stream = new Readable({
    highWaterMark: bufferedBytes,
    read() {
      taking = true
      lastMoveMs = now()
      flush()
      void pump()
    },
    destroy(error, callback) {
      ending = true
      closed = true
      options.onClose()
      callback(error)
    },
  })

  function flush() {
    while (taking && !closed && queue.length > 0) taking = stream.push(nextPiece())
    queuedBytes = 0
    if (!ending || closed || queue.length > 0) return
    closed = true
    stream.push(null)
  }

  /** One part of a large frame, or several small ones. */
  function nextPiece(): Buffer {
    lastMoveMs = now()
    const first = queue[0] ?? Buffer.alloc(0)
    if (first.length > pieceBytes) {
      queue[0] = first.subarray(pieceBytes)
      return first.subarray(0, pieceBytes)
    }
    let count = 0
    for (
      let bytes = first.length;
      bytes <= pieceBytes && count < queue.length;
      bytes += queue[count]?.length ?? 0
    )
      count += 1
    const together = queue.splice(0, count)
    return together.length === 1 ? first : Buffer.concat(together)
  }

  /** Nothing follows but what is queued already, and `last`. */
  function end(...last: Buffer[]) {
    if (ending) return
    ending = true
    queue.push(...last)
    flush()
  }

  async function pump(): Promise<void> {
    if (pumping || ending) return
    pumping = true
    try {
      while (taking && !ending) {
        const over = feed.end()
        if (over) return end(...(over === 'pruned' ? [retryFrame(reconnectMs)] : []))
        const frames = feed.after(cursor) ?? (await readOwnPage())
        if (frames.length === 0) break
        await deliver(frames)
      }
    } catch (error) {
      // The database or the store is away: the next wake or poll goes on.
      options.onTrouble(error)
      return
    } finally {
      pumping = false
    }
    feed.readIfWanted()
  }

  async function readOwnPage(): Promise<Frame[]> {
    const page = await options.readPage(cursor)
    if (page && !page.isPruned) {
      feed.heard(0, page.latestRun)
      return page.events.map(toFrame)
    }
    // Whose place in the log is gone comes back, and is told so.
    end(...(page ? [retryFrame(reconnectMs)] : []))
    return []
  }

  /** As many of the frames as the reader takes; the others are asked for again once it does. */
  async function deliver(frames: Frame[]): Promise<void> {
    for (const { seq, bytes, terminal } of frames) {
      if (!taking || ending) return
      if (terminal) {
        flush()
        await deliverTerminal(terminal)
        continue
      }
      cursor = seq
      queue.push(bytes)
      queuedBytes += bytes.length
      options.onDelivered(1)
      if (queuedBytes >= pieceBytes) flush()
    }
    flush()
  }

  /**
   * Only the latest run's ends the stream; those of earlier ones are nothing for readers any more.
   */
  async function deliverTerminal(terminal: LoggedEvent): Promise<void> {
    if (terminal.run >= feed.latestRun()) {
      const bytes = await options.composeTerminal(terminal)
      if (ending) return
      options.onDelivered(1)
      end(bytes)
    }
    cursor = terminal.seq
  }

  return {
    stream,
    userId: options.userId,
    /** It has taken all there was and waits for more. */
    isHungry: () => taking && !ending && !pumping,
    wake: () => void pump(),
    /** Goes on where trouble had stopped it; costs nothing to one that has all there is. */
    catchUp() {
      if (cursor < feed.tail()) void pump()
    },
    /** Once a second: heartbeat, the end of the token, the end of patience. */
    tick(heartbeatMs: number) {
      if (closed) return
      const nowMs = now()
      const idleMs = nowMs - lastMoveMs
      if (!taking && idleMs >= stalledMs) stream.destroy()
      else if (options.expiresAtMs !== undefined && nowMs >= options.expiresAtMs) {
        end(
          noticeFrame({
            type: 'status',
            status: 'The token has expired; come back with a new one.',
            code: 'TOKEN_EXPIRED',
          }),
        )
      } else if (taking && idleMs >= heartbeatMs - 500) {
        queue.push(heartbeatFrame)
        flush()
      }
    },
    /** Ends after the last whole event, and says when to come back. */
    close() {
      end(retryFrame(reconnectMs))
    },
  }
}
