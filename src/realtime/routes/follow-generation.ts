// GET /realtime/generation/{presentation_id}, a WebSocket with the progress of presentations, and
// its SSE twin, which follows one.

import Type from 'typebox'
import type { ClientMessageType } from '../../contract/realtime.ts'
import { Problem } from '../../domain/problem.ts'
import { isFinished } from '../../domain/status.ts'
import type { App } from '../../http/base.ts'
import { createChunkWriter } from '../../http/chunk-writer.ts'
import { eventStreamHeaders, handleStreamError } from '../../http/event-stream.ts'
import { readLastId } from '../../http/last-event-id.ts'
import { emptyResponse, idParams, problemResponses } from '../../http/schemas.ts'
import type { OpenConnection } from '../open-connection.ts'
import { openGenerationSession } from '../progress/generation-session.ts'
import type { Jobs } from '../progress/jobs.ts'
import {
  lastEventIdHeader,
  messageStream,
  resumeQuery,
  ticketQuery,
  upgradeResponse,
} from './schemas.ts'

export interface FollowGeneration {
  openConnection: OpenConnection
  jobs: Jobs
}

const types: ReadonlySet<ClientMessageType> = new Set(['ping', 'subscribe_job', 'unsubscribe_job'])

/** For a scope that accepts upgrades. */
export function followGenerationRoute(app: App, { openConnection, jobs }: FollowGeneration) {
  const schema = {
    operationId: 'followGeneration',
    tags: ['realtime'],
    summary: 'Follow the progress of presentations over a WebSocket',
    description:
      'Sends `connected`, then `job_progress` messages. The client may send `subscribe_job`, ' +
      '`unsubscribe_job` and `ping`. See `RealtimeMessage` and `RealtimeClientMessage`.',
    params: idParams,
    querystring: Type.Object({ ticket: ticketQuery }),
    response: {
      101: upgradeResponse,
      ...problemResponses(
        'UPGRADE_REQUIRED',
        'PERMISSION_DENIED',
        'NOT_FOUND',
        'TOO_MANY_CONNECTIONS',
      ),
    },
  }

  app.route({
    method: 'GET',
    url: '/realtime/generation/:id',
    schema,
    exposeHeadRoute: false,
    config: { takesTicket: 'realtime', checksOrigin: 'origin' },
    preHandler: (request, reply) =>
      openConnection.admitWebSocket('generation', { request, reply }, () =>
        jobs.find({ userId: request.caller.userId, id: request.params.id }),
      ),
    handler: () => {
      throw new Problem('UPGRADE_REQUIRED')
    },
    wsHandler(socket, request) {
      const { id } = request.params as { id: string }
      openConnection.acceptWebSocket(
        'generation',
        { socket, request: request as never },
        {
          types,
          openSession: (connection) =>
            openGenerationSession({ connection, jobs, jobId: id, endsWithRun: false }),
        },
      )
    },
  })
}

export function streamGenerationRoute(app: App, { openConnection, jobs }: FollowGeneration) {
  const schema = {
    operationId: 'streamGeneration',
    tags: ['realtime'],
    summary: 'Follow the progress of one presentation as server-sent events',
    description:
      'The messages of the WebSocket, each as one event without a name. After the terminal state ' +
      'of the latest run the stream ends.',
    headers: lastEventIdHeader,
    params: idParams,
    querystring: resumeQuery,
    response: {
      200: messageStream('connected', 'job_progress', 'job_deleted'),
      204: emptyResponse('Finished: nothing follows the given id.'),
      ...problemResponses('PERMISSION_DENIED', 'NOT_FOUND', 'TOO_MANY_STREAMS'),
    },
  }

  const writeStream = createChunkWriter()
  app.get(
    '/realtime/sse/generation/:id',
    {
      schema,
      exposeHeadRoute: false,
      errorHandler: handleStreamError,
      config: { takesTicket: 'realtime', checksOrigin: 'site' },
    },
    async (request, reply) => {
      const { id } = request.params
      const row = await jobs.find({ userId: request.caller.userId, id })
      if (!row) throw new Problem('NOT_FOUND')
      if (isFinished(row.status) && readLastId(request)) return reply.code(204).send()
      const stream = openConnection.openStream('generation', request as never, {
        countsMessages: true,
        openSession: (connection) =>
          openGenerationSession({ connection, jobs, jobId: id, endsWithRun: true }),
      })
      reply.headers(eventStreamHeaders)
      writeStream(stream, reply)
      return reply
    },
  )
}
