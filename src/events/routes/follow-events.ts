// GET /presentations/{id}/events: the event stream. What flows in it is made in events/; here is
// what makes it reach a browser.

import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { jitterMs } from '../../async/backoff.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { asProblem, handleError, logProblem } from '../../http/problems.ts'
import { emptyResponse, idParams, problemResponses } from '../../http/schemas.ts'
import { createChunkWriter } from '../chunk-writer.ts'

const comeBackMs = 5_000

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // nginx would hold events back to fill its buffers.
  'x-accel-buffering': 'no',
}

export interface FollowEvents {
  follow: (wanted: {
    userId: string
    id: string
    /** 0 for none. */
    lastEventId: number
    /** When the caller's token ends, in ms since the epoch. */
    expiresAtMs: number
  }) => Promise<Readable | undefined>
}

export function followEventsRoute(app: App, { follow }: FollowEvents) {
  const schema = {
    operationId: 'followEvents',
    tags: ['presentations'],
    summary: 'Follow a presentation, event by event',
    description:
      'Server-sent events named `response`, with dense ids. Reconnect with the last id to go on. With `Accept: text/event-stream`, ' +
      'trouble that passes is answered 200 with a `retry:` line only, since a browser never comes back from any other status.',
    headers: Type.Object({
      'last-event-id': Type.Optional(Type.String({ description: 'The last id you have seen.' })),
    }),
    params: idParams,
    querystring: Type.Object({
      last_event_id: Type.Optional(
        Type.String({ description: 'Where the header `Last-Event-ID` cannot be sent.' }),
      ),
      ticket: Type.Optional(
        Type.String({
          description: 'Where no credentials can be sent: see `POST /presentations/{id}/ticket`.',
        }),
      ),
    }),
    response: {
      200: {
        description: 'The stream.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
      204: emptyResponse('Finished, and nothing after the given id.'),
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
      const followed = await follow({
        userId: request.caller.userId,
        id: request.params.id,
        lastEventId: lastEventId(request.headers['last-event-id'] || request.query.last_event_id),
        expiresAtMs: request.caller.expiresAt.getTime(),
      })
      if (!followed) return reply.code(204).send()
      reply.headers(streamHeaders)
      writeStream(followed, reply)
      return reply
    },
  )
}

function lastEventId(text: string | string[] | undefined): number {
  if (text === undefined || text === '') return 0
  if (typeof text !== 'string' || !/^\d{1,4096}$/.test(text)) {
    throw new Problem('VALIDATION_FAILED', {
      errors: [{ path: 'Last-Event-ID', message: 'must be the id of an event: digits only' }],
    })
  }
  // What is beyond the numbers that we can tell apart is beyond any log.
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}

/**
 * A browser's EventSource gives up for good at any status but 200; so what passes must not look
 * like an end.
 */
function handleStreamError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const problem = asProblem(error)
  const passes = problem.status >= 500 || problem.status === 429
  if (!passes || !/\btext\/event-stream\b/i.test(request.headers.accept ?? ''))
    return handleError(error, request, reply)
  logProblem(request, problem, error)
  return reply
    .code(200)
    .headers(streamHeaders)
    .send(`retry: ${jitterMs(comeBackMs)}\n\n`)
}
