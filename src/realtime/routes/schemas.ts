// The parts of schemas that the real-time routes share.

import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { emptyResponse } from '../../http/schemas.ts'

export const ticketQuery = Type.Optional(
  Type.String({
    description: 'For clients that send no credentials: see `POST /realtime/ticket`.',
  }),
)

export const upgradeResponse = emptyResponse('Switching to the WebSocket protocol.')

export const lastEventIdHeader = Type.Object({
  'last-event-id': Type.Optional(Type.String({ description: 'The last id that you received.' })),
})

export const resumeQuery = Type.Object({
  last_event_id: Type.Optional(
    Type.String({ description: 'For clients that cannot send the header `Last-Event-ID`.' }),
  ),
  lastEventId: Type.Optional(
    Type.String({ description: 'Read like `last_event_id`, for EventSource polyfills.' }),
  ),
  ticket: ticketQuery,
})

/** The place to resume from; undefined for none. */
export function lastEventIdOf({
  headers,
  query,
}: Pick<FastifyRequest, 'headers' | 'query'>): string | undefined {
  const { last_event_id: fromQuery, lastEventId: fromPolyfill } = query as Record<string, string>
  const given = headers['last-event-id'] || fromQuery || fromPolyfill
  return typeof given === 'string' && given !== '' ? given : undefined
}
