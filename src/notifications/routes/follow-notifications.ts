// GET /realtime/notifications, a WebSocket with the notifications of the user, and its SSE twin.

import type { ClientMessageType } from '../../contract/realtime.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { createChunkWriter } from '../../http/chunk-writer.ts'
import { eventStreamHeaders, handleStreamError } from '../../http/event-stream.ts'
import { readLastId } from '../../http/last-event-id.ts'
import { problemResponses } from '../../http/schemas.ts'
import type { OpenSession } from '../../realtime/connection.ts'
import type { OpenConnection } from '../../realtime/open-connection.ts'
import {
  lastEventIdHeader,
  messageStream,
  resumeQuery,
  upgradeResponse,
} from '../../realtime/routes/schemas.ts'
import type { StreamStart } from '../statements/read.ts'

export interface FollowNotifications {
  openConnection: OpenConnection
  /** Read before a connection is accepted: without the database it is refused. */
  readStart: (userId: string) => Promise<StreamStart>
  /** Resumes after the cursor, if there is one. */
  openSession: (start: StreamStart, cursor: string | undefined) => OpenSession
}

const types: ReadonlySet<ClientMessageType> = new Set([
  ...(['ping', 'subscribe_channel', 'unsubscribe_channel', 'mark_read'] as const),
])

/** For a scope that accepts upgrades. */
export function followNotificationsRoute(
  app: App,
  { openConnection, openSession, readStart }: FollowNotifications,
) {
  const schema = {
    operationId: 'followNotifications',
    tags: ['realtime'],
    summary: 'Follow your notifications over a WebSocket',
    description:
      'Sends `connected`, then `notification` messages. Reconnect with `last_event_id`, the last ' +
      '`cursor`, to continue. See `RealtimeMessage` and `RealtimeClientMessage`.',
    querystring: resumeQuery,
    response: {
      101: upgradeResponse,
      ...problemResponses('UPGRADE_REQUIRED', 'PERMISSION_DENIED', 'TOO_MANY_CONNECTIONS'),
    },
  }
  /** Between the last check of an upgrade and its acceptance. */
  const starts = new WeakMap<object, StreamStart>()
  app.route({
    method: 'GET',
    url: '/realtime/notifications',
    schema,
    exposeHeadRoute: false,
    config: { takesTicket: 'realtime', checksOrigin: 'origin' },
    preHandler: (request, reply) =>
      openConnection.admitWebSocket(
        'notifications',
        { request: request as never, reply },
        async () => starts.set(request, await readStart(request.caller.userId)),
      ),
    handler: () => {
      throw new Problem('UPGRADE_REQUIRED')
    },
    wsHandler(socket, request) {
      const start = starts.get(request)
      if (!start) throw new Error('The start of the stream was not read.')
      openConnection.acceptWebSocket(
        'notifications',
        { socket, request: request as never },
        { types, openSession: openSession(start, readLastId(request as never)) },
      )
    },
  })
}

export function streamNotificationsRoute(
  app: App,
  { openConnection, openSession, readStart }: FollowNotifications,
) {
  const schema = {
    operationId: 'streamNotifications',
    tags: ['realtime'],
    summary: 'Follow your notifications as server-sent events',
    description:
      'The messages of the WebSocket, each as one event without a name. The id of a notification ' +
      'is its `cursor`.',
    headers: lastEventIdHeader,
    querystring: resumeQuery,
    response: {
      200: messageStream('connected', 'notification', 'notification_read'),
      ...problemResponses('PERMISSION_DENIED', 'TOO_MANY_STREAMS'),
    },
  }
  const writeStream = createChunkWriter()
  app.get(
    '/realtime/sse/notifications',
    {
      schema,
      exposeHeadRoute: false,
      errorHandler: handleStreamError,
      config: { takesTicket: 'realtime', checksOrigin: 'site' },
    },
    async (request, reply) => {
      const start = await readStart(request.caller.userId)
      const stream = openConnection.openStream('notifications', request as never, {
        countsMessages: false,
        openSession: openSession(start, readLastId(request)),
      })
      reply.headers(eventStreamHeaders)
      writeStream(stream, reply)
      return reply
    },
  )
}
