// One feed per presentation and process: it encodes each frame once, and keeps the latest ones at
// hand for all subscribers. What a run of this process has committed is handed to it as it is;
// everything else it reads from the log, once. A subscriber that is further behind reads its own
// pages until it has caught up.
import type { LoggedEvent, LogPage } from '../database/event-log.ts'
import { eventFrame } from './sse-frames.ts'

export interface Frame {
  seq: number
  bytes: Buffer
  /**
   * Set on the last event of a run: it is composed for each reader, and is nothing for readers once
   * a newer run began.
   */
  terminal: LoggedEvent | undefined
}

export interface FeedOptions {
  readPage: (after: number) => Promise<LogPage | undefined>
  /**
   * A subscriber has taken all there was and waits. Only then is more read: never faster than the
   * fastest reader takes it.
   */
  isWanted: () => boolean
  /** There are new frames, or the presentation is gone. */
  onNews: () => void
  onTrouble: (error: unknown) => void
}

const keptBytes = 1024 * 1024

export type Feed = ReturnType<typeof createFeed>

export function toFrame(event: LoggedEvent): Frame {
  return {
    seq: event.seq,
    bytes: eventFrame(event.seq, event.data),
    terminal: event.terminal ? event : undefined,
  }
}

/** A feed that begins after `start.seq` of a log whose last number is `start.lastSeq`. */
export function createFeed(
  start: { seq: number; lastSeq: number; run: number },
  options: FeedOptions,
) {
  const frames: Frame[] = []
  let bytes = 0
  let tail = start.seq
  let known = start.lastSeq
  let latestRun = start.run
  let heardLast = start.lastSeq
  let end: 'gone' | 'pruned' | undefined
  let reading = false
  /** Handed over while a page was being read: one piece of the log without gaps. */
  let offered: LoggedEvent[] = []
  let offeredBytes = 0

  async function read(): Promise<void> {
    reading = true
    heardLast = 0
    try {
      const page = await options.readPage(tail)
      if (!page) end = 'gone'
      else if (page.isPruned) end = 'pruned'
      else keep(page)
    } catch (error) {
      // The next wake or poll tries again; the readers keep their heartbeats meanwhile.
      options.onTrouble(error)
      return
    } finally {
      reading = false
    }
    options.onNews()
    readIfWanted()
  }

  function keep(page: LogPage) {
    latestRun = Math.max(latestRun, page.latestRun)
    append(page.events)
    const readUpTo = tail
    const next = offered.findIndex(({ seq }) => seq === tail + 1)
    if (next >= 0) append(offered.slice(next))
    offered = []
    offeredBytes = 0
    // What was announced before this look and is not in it was pruned: not waited for. What was
    // announced since may have come after it.
    known = Math.max(heardLast, tail, page.more ? readUpTo + 1 : 0)
  }

  function append(events: LoggedEvent[]) {
    for (const event of events) {
      const frame = toFrame(event)
      frames.push(frame)
      bytes += frame.bytes.length
      tail = event.seq
    }
    while (bytes > keptBytes && frames.length > 1) bytes -= frames.shift()?.bytes.length ?? 0
  }

  /**
   * For when the page that is being read has come. What would be too much is read from the log
   * then.
   */
  function holdBack(events: LoggedEvent[]) {
    if (offered.length > 0 && offered.at(-1)?.seq !== (events[0]?.seq ?? 0) - 1) {
      offered = []
      offeredBytes = 0
    }
    offeredBytes += events.reduce((sum, { data }) => sum + data.length, 0)
    if (offeredBytes <= keptBytes) offered.push(...events)
  }

  function readIfWanted() {
    if (!reading && !end && known > tail && options.isWanted()) void read()
  }

  return {
    readIfWanted,
    /**
     * Frames after `cursor` that are at hand; undefined when they are not any more and must be read
     * from the log.
     */
    after(cursor: number): Frame[] | undefined {
      if (cursor >= tail) return []
      const first = frames[0]
      if (!first || cursor < first.seq - 1) return undefined
      let low = 0
      let high = frames.length
      while (low < high) {
        const middle = (low + high) >> 1
        if ((frames[middle]?.seq ?? 0) <= cursor) low = middle + 1
        else high = middle
      }
      return low === 0 ? frames.slice() : frames.slice(low)
    },
    heard(seq: number, run = 0) {
      heardLast = Math.max(heardLast, seq)
      known = Math.max(known, seq)
      latestRun = Math.max(latestRun, run)
      readIfWanted()
    },
    /**
     * Takes what was committed just now, without a look at the database where it follows on what is
     * here.
     */
    offer(events: LoggedEvent[]) {
      const [first] = events
      const last = events.at(-1)
      if (!first || !last || end) return
      if (!reading && first.seq === tail + 1) {
        append(events)
        latestRun = Math.max(latestRun, last.run)
        known = Math.max(known, tail)
        options.onNews()
        return
      }
      if (reading) holdBack(events)
      this.heard(last.seq, last.run)
    },
    /** Reads even without news: to notice that the presentation is gone. */
    look() {
      if (!reading && !end) void read()
    },
    latestRun: () => latestRun,
    /** The last number that is known of, read or not. */
    known: () => known,
    /** The last number that is at hand, or was. */
    tail: () => tail,
    /**
     * Set when nothing more can be had here: the presentation was deleted, or what a subscriber
     * still wanted was pruned.
     */
    end: () => end,
  }
}
