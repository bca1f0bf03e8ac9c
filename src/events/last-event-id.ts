// Where clients put the id of the last event that they have received.

import type { IncomingHttpHeaders } from 'node:http'
import { eventId } from '../contract/text.ts'
import { Problem } from '../domain/problem.ts'

/** In any spelling: `lastEventId` and `evs_last_event_id` (polyfills), `lastEventID` (Mercure). */
const parameterNames = new Set(['lasteventid', 'evslasteventid'])

/**
 * The id in the header, else in the query; 0 for none. All that are given must be valid.
 *
 * @throws Problem VALIDATION_FAILED
 */
export function readLastEventId({
  headers,
  query,
}: {
  headers: IncomingHttpHeaders
  query: unknown
}): number {
  const given = [headers['last-event-id'], ...findParameters(query as Record<string, unknown>)]
  const [id = 0] = given.filter((text) => text !== undefined && text !== '').map(parseEventId)
  return id
}

/**
 * A page puts `last_event_id` into its URL once. A polyfill adds a parameter of its own to that URL
 * at every reconnect, so that one is newer.
 */
function findParameters({ last_event_id: ofPage, ...query }: Record<string, unknown>): unknown[] {
  const ofPolyfill = Object.entries(query).filter(([name]) =>
    parameterNames.has(name.replace(/[-_]/g, '').toLowerCase()),
  )
  return [...ofPolyfill.map(([, value]) => value), ofPage]
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
