// The parts of schemas that the real-time routes share.

import Type from 'typebox'
import type { ServerMessageType } from '../../contract/realtime.ts'
import { serverMessages } from '../../contract/realtime-messages.ts'
import { emptyResponse, mediaResponse } from '../../http/schemas.ts'

export const ticketQuery = Type.Optional(
  Type.String({
    description: 'For clients that send no credentials: see `POST /realtime/ticket`.',
  }),
)

export const upgradeResponse = emptyResponse('Switching to the WebSocket protocol.')

const exampleTime = '2026-11-27T12:29:41.512Z'

/** A stream of messages, with an example of each of these types. */
export function messageStream(...types: ServerMessageType[]) {
  const schema = {
    type: 'object',
    title: 'StreamedMessage',
    properties: {
      id: { type: 'string', description: 'To resume from.' },
      data: {
        type: 'string',
        contentMediaType: 'application/json',
        contentSchema: { $ref: 'RealtimeMessage#' },
      },
    },
    required: ['data'],
  }
  const exampleOf = (type: ServerMessageType) => ({
    value: {
      data: JSON.stringify({ ...serverMessages[type].example, timestamp: exampleTime }),
    },
  })
  return mediaResponse('text/event-stream', schema, {
    description: 'The stream. The schema is that of each event.',
    headers: ['X-Accel-Buffering'],
    examples: Object.fromEntries(types.map((type) => [type, exampleOf(type)])),
  })
}

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
