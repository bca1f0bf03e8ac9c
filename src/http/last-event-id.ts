// Where clients put the id of the last event that they have received.

import type { IncomingHttpHeaders } from 'node:http'
import { eventId } from '../contract/text.ts'
import { Problem } from '../domain/problem.ts'

/** In any spelling: `lastEventId` and `evs_last_event_id` (polyfills), `lastEventID` (Mercure). */
const parameterNames = new Set(['lasteventid', 'evslasteventid'])

interface GivenIds {
  headers: IncomingHttpHeaders
  query: unknown
}

/**
 * The id of an event of a log, in the header, else in the query; 0 for none. All that are given
 * must be valid.
 *
 * @throws Problem VALIDATION_FAILED
 */
export function readLastEventId(request: GivenIds): number {
  const [id = 0] = findGivenIds(request).map(parseEventId)
  return id
}

/** An id of any form, such as a cursor; undefined for none. */
export function readLastId(request: GivenIds): string | undefined {
  const [id] = findGivenIds(request)
  return typeof id === 'string' ? id : undefined
}

/**
 * The header counts first. A page puts `last_event_id` into its URL once, and a polyfill adds a
 * parameter of its own to that URL at every reconnect, so that one is newer.
 */
function findGivenIds({ headers, query }: GivenIds): unknown[] {
  const { last_event_id: ofPage, ...others } = query as Record<string, unknown>
  const ofPolyfill = Object.entries(others).filter(([name]) =>
    parameterNames.has(name.replace(/[-_]/g, '').toLowerCase()),
  )
  const ids = [headers['last-event-id'], ...ofPolyfill.map(([, value]) => value), ofPage]
  return ids.filter((id) => id !== undefined && id !== '')
}

const eventIdPattern = new RegExp(eventId)

function parseEventId(text: unknown): number {
  if (typeof text !== 'string' || !eventIdPattern.test(text)) {
    throw new Problem('VALIDATION_FAILED', {
      errors: [{ path: 'Last-Event-ID', message: 'must be the id of an event: digits only' }],
    })
  }
  // Larger numbers lose precision, and no log is that long.
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}
