// GET /presentations/{id}/events: the event stream as a browser's EventSource needs it.

import type { Readable } from 'node:stream'
import Type from 'typebox'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { createChunkWriter } from '../../http/chunk-writer.ts'
import { eventStreamHeaders, handleStreamError } from '../../http/event-stream.ts'
import { emptyResponse, idParams, problemResponses } from '../../http/schemas.ts'

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
    headers: Type.Object({
      'last-event-id': Type.Optional(
        Type.String({ description: 'The last id that you have received.' }),
      ),
    }),
    params: idParams,
    querystring: Type.Object({
      last_event_id: Type.Optional(
        Type.String({ description: 'For clients that cannot send the header `Last-Event-ID`.' }),
      ),
      lastEventId: Type.Optional(
        Type.String({ description: 'Read like `last_event_id`, for EventSource polyfills.' }),
      ),
      ticket: Type.Optional(
        Type.String({
          description:
            'For clients that send no credentials: see `POST /presentations/{id}/ticket`.',
        }),
      ),
    }),
    response: {
      200: {
        description: 'The stream.',
        // The data of each event.
        content: { 'text/event-stream': { schema: { $ref: 'Event#' } } },
      },
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
      const { last_event_id: fromQuery, lastEventId: fromPolyfill } = request.query
      const stream = await follow({
        userId,
        id: request.params.id,
        lastEventId: parseEventId(request.headers['last-event-id'] || fromQuery || fromPolyfill),
        expiresAtMs: expiresAt.getTime(),
      })
      if (!stream) return reply.code(204).send()
      reply.headers(eventStreamHeaders)
      writeStream(stream, reply)
      return reply
    },
  )
}

function parseEventId(text: string | string[] | undefined): number {
  if (text === undefined || text === '') return 0
  if (typeof text !== 'string' || !/^\d{1,4096}$/.test(text)) {
    throw new Problem('VALIDATION_FAILED', {
      errors: [{ path: 'Last-Event-ID', message: 'must be the id of an event: digits only' }],
    })
  }
  // Larger numbers lose precision, and no log is that long.
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}
