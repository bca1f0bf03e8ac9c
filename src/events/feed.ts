// The latest events of one presentation, shared by all its subscribers in this process. Events that
// a run of this process commits are offered; all others are read from the log, once. A subscriber
// that is further behind reads its own pages until it has caught up.

import type { LoggedEvent, LogPage } from '../database/event-log.ts'

/** How a transport writes an event. */
export type Encoding = (event: LoggedEvent) => Buffer

/** An event in a feed. Each transport encodes it once for all its subscribers. */
export interface FeedEvent extends LoggedEvent {
  encodings: Map<Encoding, Buffer> | undefined
}

export function toFeedEvent({ seq, run, kind, terminal, data }: LoggedEvent): FeedEvent {
  return { seq, run, kind, terminal, data, encodings: undefined }
}

export function encodeOnce(event: FeedEvent, encoding: Encoding): Buffer {
  event.encodings ??= new Map()
  let bytes = event.encodings.get(encoding)
  if (!bytes) {
    bytes = encoding(event)
    event.encodings.set(encoding, bytes)
  }
  return bytes
}

export interface FeedOptions {
  readPage: (after: number) => Promise<LogPage | undefined>
  /** A subscriber waits for events. Only then is more read: never faster than the fastest takes. */
  isWanted: () => boolean
  /** There are new events, or the log has ended. */
  onNews: () => void
  onTrouble: (error: unknown) => void
}

export interface FeedStart {
  /** The feed begins after this event. */
  seq: number
  /** The last number in the log. */
  lastSeq: number
  run: number
}

const maxKeptChars = 1024 * 1024

export type Feed = ReturnType<typeof createFeed>

export function createFeed(start: FeedStart, options: FeedOptions) {
  const kept: FeedEvent[] = []
  let keptChars = 0
  /** The last event that is or was kept. */
  let tail = start.seq
  /** The last event that exists, as far as is known. */
  let known = start.lastSeq
  /** The last event that was announced since the current read began. */
  let announced = start.lastSeq
  let latestRun = start.run
  let end: 'deleted' | 'pruned' | undefined
  let isReading = false
  const offered = createOfferedEvents()

  async function read(): Promise<void> {
    isReading = true
    announced = 0
    try {
      const page = await options.readPage(tail)
      if (!page) end = 'deleted'
      else if (page.isPruned) end = 'pruned'
      else addPage(page)
    } catch (error) {
      // The next hint or poll tries again.
      options.onTrouble(error)
      return
    } finally {
      isReading = false
    }
    options.onNews()
    readIfWanted()
  }

  function addPage(page: LogPage) {
    latestRun = Math.max(latestRun, page.latestRun)
    add(page.events)
    const readUpTo = tail
    add(offered.takeAfter(tail))
    // An event that was announced before the read and is not in the page was pruned. Events that
    // were announced since, or that follow a full page, still exist.
    known = Math.max(announced, tail, page.hasMore ? readUpTo + 1 : 0)
  }

  function add(events: LoggedEvent[]) {
    for (const event of events) {
      kept.push(toFeedEvent(event))
      keptChars += event.data.length
      tail = event.seq
    }
    while (keptChars > maxKeptChars && kept.length > 1) keptChars -= kept.shift()?.data.length ?? 0
  }

  function readIfWanted() {
    if (!isReading && !end && known > tail && options.isWanted()) void read()
  }

  function announce(seq: number, run = 0) {
    announced = Math.max(announced, seq)
    known = Math.max(known, seq)
    latestRun = Math.max(latestRun, run)
    readIfWanted()
  }

  return {
    readIfWanted,

    /** The kept events after `cursor`; undefined when they must be read from the log. */
    after(cursor: number): FeedEvent[] | undefined {
      if (cursor >= tail) return []
      const [first] = kept
      if (!first || cursor < first.seq - 1) return undefined
      // Numbers are dense.
      return kept.slice(cursor + 1 - first.seq)
    },

    /** The log has grown to `seq`. */
    announce,

    /** Takes events that were just committed; reads nothing if they follow the kept ones. */
    offer(events: LoggedEvent[]) {
      const [first] = events
      const last = events.at(-1)
      if (!first || !last || end) return
      if (!isReading && first.seq === tail + 1) {
        add(events)
        latestRun = Math.max(latestRun, last.run)
        known = Math.max(known, tail)
        options.onNews()
        return
      }
      if (isReading) offered.add(events)
      announce(last.seq, last.run)
    },

    /** Reads even without news, to notice that the presentation was deleted. */
    check() {
      if (!isReading && !end) void read()
    },

    latestRun: () => latestRun,
    known: () => known,
    tail: () => tail,
    /** Set when the presentation was deleted, or events that a subscriber needs were pruned. */
    end: () => end,
  }
}

/** Events that were offered during a read: one piece of the log without gaps, within a bound. */
function createOfferedEvents() {
  let events: LoggedEvent[] = []
  let chars = 0

  function clear() {
    events = []
    chars = 0
  }

  return {
    add(more: LoggedEvent[]) {
      const isNext = events.at(-1)?.seq === (more[0]?.seq ?? 0) - 1
      if (events.length > 0 && !isNext) clear()
      chars += more.reduce((sum, { data }) => sum + data.length, 0)
      if (chars <= maxKeptChars) events.push(...more)
    },

    /** Empties it. Returns the events after `seq`, or none if there is a gap. */
    takeAfter(seq: number): LoggedEvent[] {
      const next = events.findIndex((event) => event.seq === seq + 1)
      const taken = next < 0 ? [] : events.slice(next)
      clear()
      return taken
    },
  }
}
