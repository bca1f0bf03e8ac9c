// The real-time part: connections, what they follow, and how they are opened.

import type { Config } from '../config/config.ts'
import type { Hub } from '../events/hub.ts'
import { createConnections } from '../realtime/connections.ts'
import { createOpenConnection } from '../realtime/open-connection.ts'
import { createJobs } from '../realtime/progress/jobs.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { issueTicket, ticketSeconds } from '../tickets/statements.ts'
import type { Adapters } from './adapters.ts'
import type { Features } from './server.ts'

export interface RealtimeOptions {
  config: Config
  logger: Logger
  adapters: Pick<Adapters, 'database' | 'channels'>
  metrics: Pick<Metrics, 'onWebSocketMessage'>
  hub: Pick<Hub, 'takeStream'>
  /** Aborts when the shutdown begins. */
  closing: AbortSignal
}

export function openRealtime({ config, logger, adapters, metrics, hub, closing }: RealtimeOptions) {
  const { database, channels } = adapters
  const onTrouble = (error: unknown) => logger.warn({ err: error }, 'reading progress failed')
  const connections = createConnections({ ...config.realtime, closing })
  const jobs = createJobs({ database, channels, onTrouble })
  const openConnection = createOpenConnection({
    connections,
    ...config.realtime,
    heartbeatMs: config.events.heartbeatMs,
    takeStream: hub.takeStream,
    onWebSocketMessage: metrics.onWebSocketMessage,
    onError: (error) => logger.warn({ err: error }, 'a real-time message failed'),
  })

  const routes: Features['realtime'] = {
    openConnection,
    jobs,
    async issueRealtimeTicket({ userId, tokenExpiresAt }) {
      const request = { userId, purpose: 'realtime', presentationId: null, tokenExpiresAt } as const
      const ticket = await issueTicket(database, request)
      if (ticket === undefined) throw new Error('A ticket without a presentation was refused.')
      return { ticket, expiresInSeconds: ticketSeconds }
    },
  }
  return {
    routes,
    connections,
    jobs,
    /** Says goodbye to all connections. */
    close() {
      jobs.close()
      connections.close()
    },
  }
}
