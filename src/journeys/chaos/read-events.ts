// A subscriber that behaves as a browser's EventSource: it reconnects with its last event id, to
// any replica, whenever its stream ends or breaks.

import { setTimeout as delay } from 'node:timers/promises'
import { openReader, type Reader } from '../../sandbox/reader.ts'
import type { SeenEvent } from '../history-checks.ts'
import type { Random } from './random.ts'
import type { Report } from './report.ts'

export interface ReadEventsOptions {
  id: string
  token: string
  urls: () => string[]
  random: Random
  report: Report
  /** Whether the presentation is deleted, or gets no further events. */
  isOver: () => boolean
  /** Probability that the subscriber closes a connection itself and reconnects. Default 0.3. */
  disconnectProbability?: number
}

const reconnectMs = 50
/** A replica after SIGSTOP sends nothing, not even a heartbeat. */
const silenceMs = 3_000

/** Resolves with all received events, after `isOver` and the end of the log. */
export async function readEvents(options: ReadEventsOptions): Promise<SeenEvent[]> {
  const { id, token, urls, random, report, isOver, disconnectProbability = 0.3 } = options
  const received: SeenEvent[] = []
  let lastEventId = 0
  for (let isReconnect = false; ; isReconnect = true) {
    if (isReconnect) await delay(random.between(0, 2 * reconnectMs))
    const replicaUrls = urls()
    if (replicaUrls.length === 0) continue
    const url = `${random.pick(replicaUrls)}/api/v1/presentations/${id}/events`
    const reader = await openReader(url, {
      token,
      signal: AbortSignal.timeout(silenceMs),
      ...(lastEventId > 0 ? { lastEventId } : {}),
    }).catch(() => undefined)
    if (!reader) continue
    if (reader.status === 404) {
      if (!isOver()) report.violate(id, 'a subscriber received 404')
      return received
    }
    if (reader.status === 204) {
      if (isOver()) return received
      // The latest run has ended; another one may follow.
      await delay(20 * reconnectMs)
      continue
    }
    if (lastEventId > 0) report.count('reconnects')
    if (reader.status !== 200) {
      report.violate(id, `a subscriber received ${reader.status}: EventSource would not reconnect`)
      return received
    }
    const maxEvents = random.chance(disconnectProbability)
      ? random.between(1, 25)
      : Number.POSITIVE_INFINITY
    lastEventId = await receive(reader, { received, lastEventId, maxEvents })
  }
}

/**
 * Reads one connection until it ends, falls silent or has sent `maxEvents`. Returns the last id.
 */
async function receive(
  reader: Reader,
  {
    received,
    lastEventId,
    maxEvents,
  }: { received: SeenEvent[]; lastEventId: number; maxEvents: number },
): Promise<number> {
  let lastId = lastEventId
  let bytesBefore = -1
  for (let count = 0; count < maxEvents; ) {
    const event = await reader.next(silenceMs).catch((error: Error) => error)
    if (event === undefined) return lastId
    if (event instanceof Error) {
      // Heartbeats without events: the connection is still alive.
      if (reader.bytes > bytesBefore && event.message.startsWith('no event')) {
        bytesBefore = reader.bytes
        continue
      }
      break
    }
    count += 1
    received.push({ id: event.id, data: event.data, text: event.text })
    lastId = event.id ?? lastId
  }
  reader.close()
  return lastId
}
