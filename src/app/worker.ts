// Starts what needs the tables: the listener for notifications and, unless WORKER=false, the worker
// and the housekeeping.
import type { Config } from '../config/config.ts'
import { openListener } from '../database/listener.ts'
import type { RetryTiming } from '../generation/context.ts'
import { openWorker } from '../generation/worker.ts'
import type { Logger } from '../telemetry/logging.ts'
import { openHousekeeping } from './housekeeping.ts'
import type { Services } from './services.ts'

export interface BackgroundOptions {
  config: Config
  logger: Logger
  services: Pick<Services, 'adapters' | 'errors' | 'metrics' | 'tracer' | 'troubles' | 'webhooks'>
  /** How runs wait between attempts; for tests that drive time. */
  timing?: RetryTiming | undefined
}

export type Background = ReturnType<typeof startBackground>

export function startBackground({ config, logger, services, timing = {} }: BackgroundOptions) {
  const { adapters, metrics, tracer, troubles } = services
  const { database, renewals, channels, objects, presenton, endRun, reportReview } = adapters
  const listener = openListener({
    url: config.database.url,
    channels,
    onError(error) {
      logger.warn({ err: error }, 'the LISTEN connection failed')
      adapters.databaseTroubles.report(error)
    },
  })
  if (!config.worker) return { listener }

  const worker = openWorker({
    dependencies: {
      database,
      presenton,
      objects,
      logger,
      troubles,
      timing,
      endRun,
      defaultTemplate: config.presenton.defaultTemplate,
      reportReview,
      limits: {
        runTimeoutMs: config.runTimeoutMs,
        maxFileBytes: config.limits.maxFileBytes,
        downloadLinkSeconds: config.objects.downloadLinkSeconds,
        outlinesReviewHours: config.outlinesReviewHours,
      },
      onStage: metrics.onStage,
      onFirstSlide: metrics.onFirstSlide,
      reportError: services.errors?.report,
      onBytesCopied: metrics.onBytesCopied,
    },
    renewals,
    channels,
    slots: { ...config.queue, leaseMs: config.leaseMs },
    tracer,
  })
  const housekeeping = openHousekeeping({
    database,
    channels,
    objects,
    presenton,
    endRun,
    eventsRetentionHours: config.events.retentionHours,
    runTimeoutMs: config.runTimeoutMs,
    notificationRetentionHours: config.notificationRetentionHours,
    sourcesRetentionHours: config.sources.retentionHours,
    onNotification: metrics.onNotification,
    disableRules: services.webhooks.disableRules,
    logger,
  })
  return { listener, worker, housekeeping, webhookSender: services.webhooks.openSender() }
}
