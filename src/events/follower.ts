// One open reader of a log, as a byte stream. It goes at its reader's pace: when that doesn't take, nothing is read for it, and
// it goes on from the log later. Others, and the run, never wait for it.
import { Readable } from 'node:stream'
import type { LoggedEvent, LogPage } from '../database/events.ts'
import { type Feed, type Frame, toFrame } from './feed.ts'
import { heartbeatFrame, noticeFrame, retryFrame } from './frames.ts'

export interface FollowerOptions {
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
}

export type Follower = ReturnType<typeof createFollower>

// A reader that takes no byte for this long is gone, whatever its socket says.
const stalledMs = 60_000
const bufferedBytes = 64 * 1024
const reconnectMs = 2_000

export function createFollower(options: FollowerOptions) {
  const { feed } = options
  let cursor = options.cursor
  /** The reader takes bytes now. */
  let taking = false
  let pumping = false
  let ended = false
  let lastMoveMs = Date.now()

  const stream = new Readable({
    highWaterMark: bufferedBytes,
    read() {
      taking = true
      lastMoveMs = Date.now()
      void pump()
    },
    destroy(error, callback) {
      ended = true
      options.onClose()
      callback(error)
    },
  })

  function push(bytes: Buffer) {
    if (ended) return
    lastMoveMs = Date.now()
    taking = stream.push(bytes)
  }

  function end(...last: Buffer[]) {
    if (ended) return
    for (const bytes of last) stream.push(bytes)
    ended = true
    stream.push(null)
  }

  async function pump(): Promise<void> {
    if (pumping || ended) return
    pumping = true
    try {
      while (taking && !ended) {
        if (feed.isGone()) return end()
        let frames: Frame[] | undefined = feed.after(cursor)
        frames ??= await readOwnPage()
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
    if (!page) {
      end()
      return []
    }
    feed.heard(0, page.latestRun)
    return page.events.map(toFrame)
  }

  /** Pushes what may go in one piece; a terminal event is looked at alone. */
  async function deliver(frames: Frame[]): Promise<void> {
    const plain = frames.findIndex(({ terminal }) => terminal)
    const together = plain === -1 ? frames : frames.slice(0, plain)
    const last = together.at(-1)
    if (last) {
      cursor = last.seq
      // One frame is the usual case, and those bytes are shared by all followers.
      push(together.length === 1 ? last.bytes : Buffer.concat(together.map(({ bytes }) => bytes)))
      options.onDelivered(together.length)
      return
    }
    const terminal = frames[0]?.terminal
    if (!terminal) return
    if (terminal.run < feed.latestRun()) {
      cursor = terminal.seq
      return
    }
    const bytes = await options.composeTerminal(terminal)
    cursor = terminal.seq
    options.onDelivered(1)
    end(bytes)
  }

  for (const bytes of [retryFrame(reconnectMs), ...options.greeting]) stream.push(bytes)

  return {
    stream,
    userId: options.userId,
    /** It has taken all there was and waits for more. */
    isHungry: () => taking && !ended && !pumping,
    wake: () => void pump(),
    /** Once a second: heartbeat, the end of the token, the end of patience. */
    tick(nowMs: number, heartbeatMs: number) {
      if (ended) return
      if (options.expiresAtMs !== undefined && nowMs >= options.expiresAtMs) {
        end(noticeFrame({ type: 'status', status: 'The token has expired; come back with a new one.', code: 'TOKEN_EXPIRED' }))
        return
      }
      const idleMs = nowMs - lastMoveMs
      if (!taking && idleMs >= stalledMs) stream.destroy()
      else if (taking && idleMs >= heartbeatMs - 500) push(heartbeatFrame)
    },
    /** Ends after the last whole event, and says when to come back. */
    close() {
      end(retryFrame(reconnectMs))
    },
  }
}
