// Where clients put the id of the last event that they have received.

import type { IncomingHttpHeaders } from 'node:http'
import { eventId } from '../contract/text.ts'
import { Problem } from '../domain/problem.ts'

/** In any spelling: `lastEventId` and `evs_last_event_id` (polyfills), `lastEventID` (Mercure). */
const parameterNames = new Set(['lasteventid', 'evslasteventid'])

/** 0 for none. @throws Problem VALIDATION_FAILED */
export function readLastEventId({
  headers,
  query,
}: {
  headers: IncomingHttpHeaders
  query: unknown
}): number {
  return parseEventId(headers['last-event-id'] || findParameter(query as Record<string, unknown>))
}

/**
 * A page puts `last_event_id` into its URL once. A polyfill adds a parameter of its own to that URL
 * at every reconnect, so that one is newer.
 */
function findParameter({ last_event_id: ofPage, ...query }: Record<string, unknown>): unknown {
  const ofPolyfill = Object.entries(query).find(
    ([name, value]) => value !== '' && parameterNames.has(name.replace(/[-_]/g, '').toLowerCase()),
  )
  return ofPolyfill ? ofPolyfill[1] : ofPage
}

const eventIdPattern = new RegExp(eventId)

function parseEventId(text: unknown): number {
  if (text === undefined || text === '') return 0
  if (typeof text !== 'string' || !eventIdPattern.test(text)) {
    throw new Problem('VALIDATION_FAILED', {
      errors: [{ path: 'Last-Event-ID', message: 'must be the id of an event: digits only' }],
    })
  }
  // Larger numbers lose precision, and no log is that long.
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}
