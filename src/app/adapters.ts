// The clients of Postgres, MinIO and Presenton. None of them connects before its first call, so the
// process starts while all three are down.
import type { Config } from '../config/config.ts'
import { createChannels } from '../database/channels.ts'
import { openDatabase, type Queryable } from '../database/connection.ts'
import { createDatabaseTroubles } from '../database/database-troubles.ts'
import { reportDurations } from '../database/durations.ts'
import { createEndRun } from '../database/end-run.ts'
import { createAccountStore } from '../database/upstream-accounts.ts'
import { createNotificationReports } from '../notifications/reports.ts'
import { createObjectStore } from '../objects/store.ts'
import { createPresenton } from '../presenton/client.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import { createWebhookReports, type WebhookReportsOptions } from '../webhooks/reports.ts'
import type { Misconfigurations } from './presenton-checks.ts'

export interface AdapterOptions {
  config: Config
  logger: Logger
  metrics: Pick<Metrics, 'onUpstreamCall' | 'onNotification'>
  troubles: Troubles
  misconfigurations: Pick<Misconfigurations, 'onMountedFile'>
  /** For the outbox of webhooks. */
  describePresentation: WebhookReportsOptions['describe']
}

export type Adapters = ReturnType<typeof openAdapters>

export function openAdapters(options: AdapterOptions) {
  const { config, logger, metrics, troubles } = options
  const databaseTroubles = createDatabaseTroubles(troubles)
  const database = openDatabase({
    ...config.database,
    onIdleError: (error) => logger.warn({ err: error }, 'an idle database connection failed'),
    onError: databaseTroubles.report,
  })
  // Lease renewals have their own connection, so a busy pool can't delay them. A renewal that takes
  // longer than a third of the lease is useless.
  const renewals = openDatabase({
    url: config.database.url,
    poolMax: 1,
    queryTimeoutMs: Math.max(500, config.leaseMs / 3),
  })
  const channels = createChannels(database)
  const reports = createNotificationReports({ channels, onWritten: metrics.onNotification })
  const webhookReports = createWebhookReports({ channels, describe: options.describePresentation })
  return {
    database,
    /** What statements and connections met, for health. */
    databaseTroubles,
    renewals,
    channels,
    endRun: createEndRun([reportDurations, reports.reportRunEnd, webhookReports.reportRunEnd]),
    reportReview: (...review: Parameters<typeof reports.reportReview>) => [
      ...reports.reportReview(...review),
      ...webhookReports.reportReview(...review),
    ],
    async reportRemoval(...removal: Parameters<typeof reports.reportRemoval>) {
      const onCommitted = [
        await reports.reportRemoval(...removal),
        await webhookReports.reportRemoval(...removal),
      ]
      return () => {
        for (const report of onCommitted) report()
      }
    },
    reportDisabledWebhook: reports.reportDisabledWebhook,
    objects: createObjectStore({ ...config.objects, logger, troubles }),
    presenton: openPresenton(options, database),
  }
}

function openPresenton(options: AdapterOptions, database: Queryable) {
  const { logger, metrics, troubles, misconfigurations } = options
  const { presenton } = options.config
  const { url, username, password, apiKey, appDataDir, breaker } = presenton
  const { accountSecret: secret, hasUserAccounts: isEnabled } = presenton
  return createPresenton({
    url,
    credentials:
      username !== undefined && password !== undefined ? { username, password } : undefined,
    apiKey,
    users:
      secret === undefined ? undefined : { secret, store: createAccountStore(database), isEnabled },
    appDataDir,
    timeouts: {
      createMs: presenton.createTimeoutMs,
      prepareMs: presenton.prepareTimeoutMs,
      exportMs: presenton.exportTimeoutMs,
      stallMs: presenton.streamStallMs,
      streamMs: presenton.streamTimeoutMs,
    },
    breaker,
    logger,
    troubles,
    onCall: metrics.onUpstreamCall,
    onMountedFile: misconfigurations.onMountedFile,
  })
}
