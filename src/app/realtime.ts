// The real-time part: connections, what they follow, and how they are opened.

import type { Config } from '../config/config.ts'
import { generalChannel } from '../contract/notification.ts'
import { ticketSeconds } from '../domain/ticket-purposes.ts'
import type { Hub } from '../events/hub.ts'
import { createNotificationCommands } from '../notifications/commands.ts'
import { createNotificationFeed } from '../notifications/feed.ts'
import { openNotificationSession } from '../notifications/session.ts'
import {
  countNotifications,
  countUnread,
  listNotifications,
} from '../notifications/statements/list.ts'
import { insertAnnouncement } from '../notifications/statements/write.ts'
import { createNotificationView } from '../notifications/view.ts'
import { makerLink } from '../presentations/view.ts'
import { createConnections } from '../realtime/connections.ts'
import { createOpenConnection } from '../realtime/open-connection.ts'
import { createJobs } from '../realtime/progress/jobs.ts'
import { createReadStats, type StatsOptions } from '../realtime/stats.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { issueTicket } from '../tickets/statements.ts'
import type { Adapters } from './adapters.ts'
import type { PublicUrl } from './public-url.ts'
import type { Features } from './server.ts'

export interface RealtimeOptions {
  config: Config
  logger: Logger
  adapters: Pick<Adapters, 'database' | 'channels'>
  metrics: Pick<Metrics, 'onWebSocketMessage' | 'onNotification'>
  hub: Pick<Hub, 'takeStream'>
  publicUrl: PublicUrl
  /** Null while there is no slide maker. */
  readMakerUrl: () => string | null
  countRuns: StatsOptions['countRuns']
  /** Aborts when the shutdown begins. */
  closing: AbortSignal
}

export function openRealtime(options: RealtimeOptions) {
  const { config, logger, adapters, metrics, closing } = options
  const { database, channels } = adapters
  const warn = (message: string) => (error: unknown) => logger.warn({ err: error }, message)
  const connections = createConnections({ ...config.realtime, closing })
  const jobs = createJobs({ database, channels, onTrouble: warn('reading progress failed') })
  const feed = createNotificationFeed({
    database,
    channels,
    onTrouble: warn('reading notifications failed'),
  })
  const openConnection = createOpenConnection({
    connections,
    ...config.realtime,
    heartbeatMs: config.events.heartbeatMs,
    takeStream: options.hub.takeStream,
    onWebSocketMessage: metrics.onWebSocketMessage,
    onError: warn('a real-time message failed'),
  })
  const commands = createNotificationCommands({ database, channels })
  const view = createNotificationView(createLinkToPage(options))

  const realtime: Features['realtime'] = {
    openConnection,
    jobs,
    async issueRealtimeTicket({ userId, tokenExpiresAt }) {
      const request = { userId, purpose: 'realtime', presentationId: null, tokenExpiresAt } as const
      const ticket = await issueTicket(database, request)
      if (ticket === undefined) throw new Error('A ticket without a presentation was refused.')
      return { ticket, expiresInSeconds: ticketSeconds }
    },
    readStats: createReadStats({
      connections,
      jobs,
      countChannels: feed.countChannels,
      countNotifications: () => countNotifications(database),
      countRuns: options.countRuns,
    }),
  }
  const notifications: Features['notifications'] = {
    openConnection,
    readStart: feed.readStart,
    openSession: (start, cursor) => (connection) =>
      openNotificationSession({ connection, feed, commands, jobs, view, start, cursor }),
    commands,
    list: (query) => listNotifications(database, query),
    countUnread: (userId) => countUnread(database, userId),
    view,
    async announce(announcement) {
      const row = await insertAnnouncement(database, announcement)
      channels.publish('notification', { id: generalChannel })
      metrics.onNotification(announcement.notification_type)
      return row
    },
  }
  return {
    features: { realtime, notifications },
    connections,
    /** Tells all connections that the replica shuts down. */
    close() {
      jobs.close()
      feed.close()
      connections.close()
    },
  }
}

/** Where a notification of a presentation leads: the product's page, else the maker, else ours. */
function createLinkToPage({ config: { appLink, page }, ...options }: RealtimeOptions) {
  const { publicUrl, readMakerUrl } = options
  return ({ id, hasMaker }: { id: string; hasMaker: boolean }) => {
    if (appLink !== undefined) return appLink.replaceAll('{id}', id)
    const makerUrl = readMakerUrl()
    if (hasMaker && makerUrl !== null) return makerLink(makerUrl, id)
    return page.isServed ? `${publicUrl.read()}/decks/${id}` : null
  }
}
