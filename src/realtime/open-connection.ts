// Opens the connections of one replica: WebSockets and their SSE twins, counted and limited.

import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { ClientMessageType } from '../contract/realtime.ts'
import { Problem } from '../domain/problem.ts'
import { asProblem } from '../http/problems.ts'
import type { Connection, OpenSession } from './connection.ts'
import type { ConnectionKind, Connections } from './connections.ts'
import { openEventStream } from './event-stream.ts'
import { completeUpgrade } from './upgrades.ts'
import { openWebSocket } from './web-socket.ts'

export interface OpenConnectionOptions {
  connections: Connections
  messagesPerSecond: number
  bufferBytes: number
  heartbeatMs: number
  /** Counts an event stream of this user. @throws Problem TOO_MANY_STREAMS */
  takeStream: (userId: string) => () => void
  onWebSocketMessage: (direction: 'in' | 'out') => void
  onError: (error: unknown) => void
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for an upgrade that was accepted. */
    upgradeResponse: ServerResponse | undefined
  }
}

export type OpenConnection = ReturnType<typeof createOpenConnection>

export function createOpenConnection(options: OpenConnectionOptions) {
  const { connections, bufferBytes, onWebSocketMessage } = options

  const common = (kind: ConnectionKind, request: FastifyRequest) => ({
    userId: request.caller.userId,
    expiresAtMs: request.caller.expiresAt.getTime(),
    now: connections.now,
    bufferBytes,
    onClose: (connection: Connection) => connections.remove(kind, connection),
  })

  return {
    /**
     * The last checks before an upgrade, for a `preHandler`: `findOwn` first, then the limits, then
     * the shutdown. The place is taken until the socket closes.
     */
    async admitWebSocket(
      kind: ConnectionKind,
      { request, reply }: { request: FastifyRequest; reply: FastifyReply },
      findOwn: () => Promise<unknown> = async () => true,
    ): Promise<void> {
      const { userId } = request.caller
      try {
        const found = await findOwn()
        if (!found) throw new Problem('NOT_FOUND')
      } catch (error) {
        // A full replica says so also while the database is away.
        if (asProblem(error).status >= 500) connections.takeWebSocket(kind, userId)()
        throw error
      }
      const { socket } = request.raw
      // The client has left: no response is expected, and no event would free the place.
      if (socket.destroyed) return void reply.hijack()
      const release = connections.takeWebSocket(kind, userId)
      try {
        connections.refuseWhileClosing()
      } catch (error) {
        release()
        throw error
      }
      socket.once('close', release)
      request.upgradeResponse = reply.raw
    },

    /** For a `wsHandler`; must be called in the turn of the upgrade. */
    acceptWebSocket(
      kind: ConnectionKind,
      { socket, request }: { socket: WebSocket; request: FastifyRequest },
      { types, openSession }: { types: ReadonlySet<ClientMessageType>; openSession: OpenSession },
    ): void {
      const connection = openWebSocket({
        ...common(kind, request),
        socket,
        types,
        messagesPerSecond: options.messagesPerSecond,
        openSession,
        onReceived: () => onWebSocketMessage('in'),
        onSent() {
          connections.countSent(kind)
          onWebSocketMessage('out')
        },
        onError(error) {
          connections.countError(kind)
          options.onError(error)
        },
      })
      connections.add(kind, connection)
      const { upgradeResponse } = request
      request.upgradeResponse = undefined
      if (upgradeResponse) completeUpgrade(socket, upgradeResponse)
    },

    /** The bytes of an SSE connection. @throws Problem TOO_MANY_STREAMS, or 503 at a shutdown */
    openStream(
      kind: ConnectionKind,
      request: FastifyRequest,
      { countsMessages, openSession }: { countsMessages: boolean; openSession: OpenSession },
    ): Readable {
      const release = options.takeStream(request.caller.userId)
      try {
        connections.refuseWhileClosing()
      } catch (error) {
        release()
        throw error
      }
      const { onClose, ...rest } = common(kind, request)
      const { connection, stream } = openEventStream({
        ...rest,
        heartbeatMs: options.heartbeatMs,
        countsMessages,
        openSession(opened) {
          const session = openSession({
            ...opened,
            send(message, eventId) {
              connections.countSent(kind)
              opened.send(message, eventId)
            },
          })
          return session
        },
        onClose(closed) {
          release()
          onClose(closed)
        },
      })
      connections.add(kind, connection)
      return stream
    },
  }
}
