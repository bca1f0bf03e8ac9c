// All real-time connections of this process: limits, the clock that ticks for all of them, and the
// shutdown. A connection is counted while its socket is open, so nothing has to be cleaned up.

import { Problem } from '../domain/problem.ts'
import type { Connection } from './connection.ts'

export type ConnectionKind = 'generation' | 'notifications'

export interface ConnectionsOptions {
  maxWebSockets: number
  maxWebSocketsPerUser: number
  /** Aborts when the shutdown begins. */
  closing: AbortSignal
  /** A clock that is never set, in ms. */
  now?: () => number
  /** The clock of the machine, in ms since the epoch: tokens end by it. */
  date?: () => number
}

export interface ConnectionStats {
  /** Since the start. */
  total: number
  active: number
  users: number
  sent: number
  errors: number
}

const tickMs = 1_000
const retryAfterSeconds = 5

export type Connections = ReturnType<typeof createConnections>

export function createConnections(options: ConnectionsOptions) {
  const { maxWebSockets, maxWebSocketsPerUser, closing } = options
  const { now = () => performance.now(), date = Date.now } = options
  const open: Record<ConnectionKind, Set<Connection>> = {
    generation: new Set(),
    notifications: new Set(),
  }
  const counts = {
    generation: { total: 0, sent: 0, errors: 0 },
    notifications: { total: 0, sent: 0, errors: 0 },
  }
  const webSockets: Record<ConnectionKind, number> = { generation: 0, notifications: 0 }
  const perUser = new Map<string, number>()

  const timer = setInterval(tick, tickMs)
  timer.unref()
  closing.addEventListener('abort', closeAll, { once: true })

  function tick() {
    const time = { nowMs: now(), dateMs: date() }
    for (const connection of all()) connection.tick(time)
  }

  function* all() {
    yield* open.generation
    yield* open.notifications
  }

  function closeAll() {
    for (const connection of all()) connection.close('shutdown')
  }

  return {
    now,
    tick,
    all,

    /**
     * Counts a WebSocket until the returned function is called.
     *
     * @throws Problem TOO_MANY_CONNECTIONS
     */
    takeWebSocket(kind: ConnectionKind, userId: string): () => void {
      const own = perUser.get(userId) ?? 0
      const total = webSockets.generation + webSockets.notifications
      if (total >= maxWebSockets || own >= maxWebSocketsPerUser) {
        throw new Problem('TOO_MANY_CONNECTIONS', { retryAfterSeconds })
      }
      webSockets[kind] += 1
      perUser.set(userId, own + 1)
      let isReleased = false
      return () => {
        if (isReleased) return
        isReleased = true
        webSockets[kind] -= 1
        const left = (perUser.get(userId) ?? 1) - 1
        if (left > 0) perUser.set(userId, left)
        else perUser.delete(userId)
      }
    },

    /** @throws Problem with 503 once the shutdown has begun */
    refuseWhileClosing() {
      if (!closing.aborted) return
      const cause = new Error('This replica is shutting down.')
      throw new Problem('INTERNAL_ERROR', { status: 503, cause, retryAfterSeconds: 1 })
    },

    add(kind: ConnectionKind, connection: Connection) {
      open[kind].add(connection)
      counts[kind].total += 1
      if (closing.aborted) connection.close('shutdown')
    },

    remove(kind: ConnectionKind, connection: Connection) {
      open[kind].delete(connection)
    },

    countSent(kind: ConnectionKind) {
      counts[kind].sent += 1
    },

    countError(kind: ConnectionKind) {
      counts[kind].errors += 1
    },

    /** Open WebSockets, for the metrics. */
    openWebSockets: (): Record<ConnectionKind, number> => ({ ...webSockets }),

    stats(kind: ConnectionKind): ConnectionStats {
      const users = new Set([...open[kind]].map(({ userId }) => userId))
      return { ...counts[kind], active: open[kind].size, users: users.size }
    },

    close() {
      clearInterval(timer)
      closeAll()
    },
  }
}
