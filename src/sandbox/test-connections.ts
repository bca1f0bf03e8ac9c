// A test server whose clock of connections is driven by the test.

import { openTestServer, rowId } from '../app/test-server.ts'
import { createConnections } from '../realtime/connections.ts'
import { createOpenConnection } from '../realtime/open-connection.ts'
import type { Job } from '../realtime/progress/job.ts'
import { createJob } from '../realtime/progress/job.ts'
import type { Follower } from '../realtime/progress/job-followers.ts'
import type { JobRow } from '../realtime/progress/statements.ts'
import { openSocket, type SocketOptions } from './socket.ts'

export const jobRow: JobRow = {
  id: rowId,
  userId: 'alice',
  status: 'running',
  stage: 'slides',
  run: 1,
  runKind: 'deck',
  progress: 0.5,
  nSlides: 20,
  slidesDone: 7,
  queuePosition: null,
  estimate: null,
  error: null,
  lastSeq: 1,
}

export type TestConnections = Awaited<ReturnType<typeof openTestConnections>>

/** Serves one presentation, `rowId`, of alice. */
export async function openTestConnections({
  env = {},
  find = async () => undefined,
}: {
  env?: Record<string, string>
  /** Called before a presentation is looked for. */
  find?: () => Promise<void>
} = {}) {
  let nowMs = Date.now()
  const now = () => nowMs
  const closing = new AbortController()
  const limits = {
    maxWebSockets: Number(env['MAX_WEBSOCKETS'] ?? 100),
    maxWebSocketsPerUser: Number(env['MAX_WEBSOCKETS_PER_USER'] ?? 20),
    messagesPerSecond: 20,
    bufferBytes: Number(env['WEBSOCKET_BUFFER_KIB'] ?? 1024) * 1024,
  }
  const connections = createConnections({ ...limits, closing: closing.signal, now, date: now })
  const job: Job = createJob(rowId, now)
  job.take(jobRow, [])
  const follow = (follower: Follower) => {
    job.add(follower, false)
    job.start(follower)
  }
  const server = await openTestServer({
    env: { RATE_LIMIT_PER_MINUTE: '10000', CORS_ORIGINS: 'https://app.example', ...env },
    features: {
      auth: {
        redeemTicket: async ({ ticket, purpose, presentationId }) =>
          ticket === 'good' && purpose === 'realtime' && presentationId === null
            ? { userId: 'alice', expiresAt: new Date(nowMs + 3_600_000) }
            : undefined,
      },
      realtime: {
        jobs: {
          async find({ userId, id }) {
            await find()
            return userId === 'alice' && id === rowId ? jobRow : undefined
          },
          followOwn: (_id, follower) => follow(follower),
          follow: async () => false,
          watch: async () => false,
          unwatch: () => undefined,
          start: () => undefined,
          catchUp: (_id, follower) => job.catchUp(follower),
          repeat: (_id, follower) => job.repeat(follower),
          unfollow: (_id, follower) => job.remove(follower),
          stats: () => ({ jobs: 0, subscriptions: 0 }),
          close: () => undefined,
        },
        openConnection: createOpenConnection({
          connections,
          ...limits,
          heartbeatMs: 15_000,
          takeStream: () => () => undefined,
          onWebSocketMessage: () => undefined,
          onError: (error) => {
            throw error
          },
        }),
      },
    },
  })
  const path = `/api/v1/realtime/generation/${rowId}`
  return {
    server,
    connections,
    job,
    path,
    /** Moves both clocks and ticks. */
    advance(ms: number) {
      nowMs += ms
      connections.tick()
    },
    /** As alice by default. */
    async open({ path: given = path, ...options }: SocketOptions & { path?: string } = {}) {
      const token = options.headers || given.includes('ticket=') ? undefined : await server.token()
      return openSocket(`${server.url}${given}`, { token, ...options })
    },
    all: connections.all,
    beginClosing: () => closing.abort(new Error('closing')),
    async close() {
      connections.close()
      await server.close()
    },
  }
}
