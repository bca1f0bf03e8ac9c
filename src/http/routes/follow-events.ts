// GET /presentations/{id}/events: the event stream. What flows in it is made in events/; here is what makes it reach a browser.

import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { jitterMs } from '../../domain/backoff.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../base.ts'
import { disconnectSignal } from '../disconnect.ts'
import { asProblem, handleError, logProblem } from '../problems.ts'
import { emptyAnswer, idParams, problemAnswers } from '../schemas.ts'

const comeBackMs = 5_000
/** The largest number of an event that the log could ever give; what is beyond it is beyond any log. */
const lastPossibleId = 2n ** 63n - 1n

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
    lastEventId: bigint | undefined
    signal: AbortSignal
    tokenExpiresAt: Date
  }) => Promise<{ kind: 'stream'; stream: Readable } | { kind: 'nothing-more' }>
}

export function followEventsRoute(app: App, { follow }: FollowEvents) {
  const schema = {
    operationId: 'followEvents',
    tags: ['presentations'],
    summary: 'Follow a presentation, event by event',
    description:
      'Server-sent events named `response`, with dense ids. Reconnect with the last id to go on. With `Accept: text/event-stream`, ' +
      'trouble that passes is answered 200 with a `retry:` line only, since a browser never comes back from any other status.',
    headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ description: 'The last id you have seen.' })) }),
    params: idParams,
    querystring: Type.Object({
      last_event_id: Type.Optional(Type.String({ description: 'Where the header `Last-Event-ID` cannot be sent.' })),
    }),
    response: {
      200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
      204: emptyAnswer('Finished, and nothing after the given id.'),
      ...problemAnswers('NOT_FOUND', 'TOO_MANY_STREAMS'),
    },
  }

  // A HEAD must not open a stream.
  app.get('/presentations/:id/events', { schema, exposeHeadRoute: false, errorHandler: handleStreamError }, async (request, reply) => {
    const followed = await follow({
      userId: request.caller.userId,
      id: request.params.id,
      lastEventId: lastEventId(request.headers['last-event-id'] || request.query.last_event_id),
      signal: disconnectSignal(reply),
      tokenExpiresAt: request.caller.expiresAt,
    })
    if (followed.kind === 'nothing-more') return reply.code(204).send()
    // The headers go out as soon as they stand, not with the first event.
    reply.raw.once('pipe', () => reply.raw.flushHeaders())
    return reply.code(200).headers(streamHeaders).send(followed.stream)
  })
}

function lastEventId(text: string | string[] | undefined): bigint | undefined {
  if (text === undefined || text === '') return undefined
  if (typeof text !== 'string' || !/^\d{1,4096}$/.test(text)) {
    throw new Problem('VALIDATION_FAILED', { errors: [{ path: 'Last-Event-ID', message: 'must be the id of an event: digits only' }] })
  }
  const id = BigInt(text)
  return id > lastPossibleId ? lastPossibleId : id
}

/** A browser's EventSource gives up for good at any status but 200; so what passes must not look like an end. */
function handleStreamError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const problem = asProblem(error)
  const passes = problem.status >= 500 || problem.status === 429
  if (!passes || !/\btext\/event-stream\b/i.test(request.headers.accept ?? '')) return handleError(error, request, reply)
  logProblem(request, problem, error)
  return reply
    .code(200)
    .headers(streamHeaders)
    .send(`retry: ${jitterMs(comeBackMs)}\n\n`)
}
