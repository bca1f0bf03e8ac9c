// A reader as a browser is one: follows a log, and comes back with its last number whenever the
// stream ends or breaks, to whichever replica it finds.

import { setTimeout as delay } from 'node:timers/promises'
import { openReader, type Reader } from '../../sandbox/reader.ts'
import type { SeenEvent } from '../history-checks.ts'
import type { Random } from './random.ts'
import type { Report } from './report.ts'

export interface ReadingOptions {
  id: string
  token: string
  urls: () => string[]
  random: Random
  report: Report
  /** Its presentation is deleted, or will not change any more. */
  isOver: () => boolean
  /** How many of its connections it leaves by itself, of 1. */
  hops?: number
}

const comeBackMs = 50
/** A replica that is stopped says nothing, not even a heartbeat. */
const silenceMs = 3_000

/** Resolves with all that was seen, once there is nothing more to see. */
export async function readEvents(options: ReadingOptions): Promise<SeenEvent[]> {
  const { id, token, urls, random, report, isOver, hops = 0.3 } = options
  const seen: SeenEvent[] = []
  let last = 0
  for (let isCurious = false; ; isCurious = true) {
    if (isCurious) await delay(random.between(0, 2 * comeBackMs))
    const all = urls()
    if (all.length === 0) continue
    const signal = AbortSignal.timeout(silenceMs)
    const reader = await openReader(`${random.pick(all)}/api/v1/presentations/${id}/events`, {
      token,
      signal,
      ...(last > 0 ? { lastEventId: last } : {}),
    }).catch(() => undefined)
    if (!reader) continue
    if (reader.status === 404) {
      if (!isOver()) report.violate(id, 'a reader is told 404')
      return seen
    }
    if (reader.status === 204) {
      if (isOver()) return seen
      // It has ended for now; another run may follow.
      await delay(20 * comeBackMs)
      continue
    }
    if (last > 0) report.count('reconnects')
    if (reader.status !== 200) {
      report.violate(id, `a reader is told ${reader.status}: EventSource would not come back`)
      return seen
    }
    last = await take(reader, {
      seen,
      last,
      hopsAfter: random.chance(hops) ? random.between(1, 25) : Number.POSITIVE_INFINITY,
    })
  }
}

async function take(
  reader: Reader,
  { seen, last, hopsAfter }: { seen: SeenEvent[]; last: number; hopsAfter: number },
): Promise<number> {
  let cursor = last
  let bytes = -1
  for (let taken = 0; taken < hopsAfter; ) {
    const event = await reader.next(silenceMs).catch((error: Error) => error)
    if (event === undefined) return cursor
    if (event instanceof Error) {
      if (reader.bytes > bytes && event.message.startsWith('no event')) {
        bytes = reader.bytes
        continue
      }
      break
    }
    taken += 1
    seen.push({ id: event.id, data: event.data, text: event.text })
    cursor = event.id ?? cursor
  }
  reader.close()
  return cursor
}
