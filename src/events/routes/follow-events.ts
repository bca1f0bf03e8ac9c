// GET /presentations/{id}/events: the event stream as a browser's EventSource needs it.

import type { Readable } from 'node:stream'
import Type, { type TString } from 'typebox'
import { streamedEventExamples, streamedEventSchema } from '../../contract/events.ts'
import { eventId } from '../../contract/text.ts'
import type { App } from '../../http/base.ts'
import { createChunkWriter } from '../../http/chunk-writer.ts'
import { eventStreamHeaders, handleStreamError } from '../../http/event-stream.ts'
import { readLastEventId } from '../../http/last-event-id.ts'
import { emptyResponse, idParams, mediaResponse, problemResponses } from '../../http/schemas.ts'

/** `id`: the schema of the ids in the query. */
function queryOf(id: TString) {
  return Type.Object({
    last_event_id: Type.Optional(
      Type.String({
        ...id,
        description: 'For clients that cannot send the header `Last-Event-ID`.',
      }),
    ),
    lastEventId: Type.Optional(
      Type.String({
        ...id,
        description: 'Read like `last_event_id`, for EventSource polyfills.',
      }),
    ),
    ticket: Type.Optional(
      Type.String({
        description: 'For clients that send no credentials: see `POST /presentations/{id}/ticket`.',
      }),
    ),
  })
}

export interface FollowEvents {
  follow: (request: {
    userId: string
    id: string
    /** 0 for none. */
    lastEventId: number
    /** When the caller's token expires, in ms since the epoch. */
    expiresAtMs: number
  }) => Promise<Readable | undefined>
}

export function followEventsRoute(app: App, { follow }: FollowEvents) {
  const schema = {
    operationId: 'followEvents',
    tags: ['presentations'],
    summary: 'Follow a presentation, event by event',
    description:
      'Server-sent events named `response`, with dense ids. Reconnect with the last id to continue. ' +
      'With `Accept: text/event-stream`, a temporary failure is a 200 with only a `retry:` line, ' +
      'because an EventSource never reconnects after any other status.',
    params: idParams,
    querystring: queryOf(Type.String()),
    // `parseEventId` checks the ids.
    openapi: {
      headers: Type.Object({
        'last-event-id': Type.Optional(
          Type.String({ pattern: eventId, description: 'The last id that you have received.' }),
        ),
      }),
      querystring: queryOf(Type.String({ pattern: eventId })),
    },
    response: {
      // Before OpenAPI 3.2 the schema of a stream is that of one event.
      200: mediaResponse('text/event-stream', streamedEventSchema, {
        description: 'The stream. The schema is that of each event.',
        headers: ['X-Accel-Buffering'],
        examples: streamedEventExamples,
      }),
      204: emptyResponse('Finished: there is nothing after the given id.'),
      ...problemResponses('NOT_FOUND', 'TOO_MANY_STREAMS'),
    },
  }

  const writeStream = createChunkWriter()
  // A HEAD must not open a stream.
  app.get(
    '/presentations/:id/events',
    {
      schema,
      exposeHeadRoute: false,
      errorHandler: handleStreamError,
      config: { takesTicket: 'events' },
    },
    async (request, reply) => {
      const { userId, expiresAt } = request.caller
      const stream = await follow({
        userId,
        id: request.params.id,
        lastEventId: readLastEventId(request),
        expiresAtMs: expiresAt.getTime(),
      })
      if (!stream) return reply.code(204).send()
      reply.headers(eventStreamHeaders)
      writeStream(stream, reply)
      return reply
    },
  )
}
