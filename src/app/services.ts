// Creates the adapters and the features on top of them from the configuration. Nothing here
// listens, claims or migrates: see lifecycle.ts and worker.ts.
import type { Config } from '../config/config.ts'
import { createHub } from '../events/hub.ts'
import { createFindAccount } from '../images/find-account.ts'
import { createRunCounts } from '../operations/statements/run-counts.ts'
import {
  findPresentation,
  type PresentationRow,
  readPresentation,
} from '../presentations/statements/queries.ts'
import { downloadView, type Presign, presentationView } from '../presentations/view.ts'
import type { ErrorReports } from '../telemetry/errors/error-reports.ts'
import type { Logger } from '../telemetry/logging.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import { createTroubles } from '../telemetry/troubles.ts'
import { issueTicket, redeemTicket } from '../tickets/statements.ts'
import { readUsage } from '../usage/read-usage.ts'
import { type Adapters, openAdapters } from './adapters.ts'
import type { BuildInfo } from './build-info.ts'
import { createHealthChecks } from './health-checks.ts'
import { createMaker, type MakerUrl } from './maker.ts'
import { createMigration } from './migration.ts'
import {
  createPresentationServices,
  type PresentationServicesOptions,
} from './presentation-services.ts'
import { createMisconfigurations, createPresentonChecks } from './presenton-checks.ts'
import type { PublicUrl } from './public-url.ts'
import { openRealtime } from './realtime.ts'
import type { Features } from './server.ts'
import { createSources } from './sources.ts'
import { createVerifier } from './verifier.ts'
import { createWebhooks } from './webhooks.ts'

export interface ServicesOptions {
  config: Config
  logger: Logger
  build: BuildInfo
  publicUrl: PublicUrl
  tracer: Tracer | undefined
  errors: ErrorReports | undefined
  /** Undefined: there is no slide maker. */
  makerUrl: MakerUrl | undefined
  /** Aborts when the shutdown begins. */
  closing: AbortSignal
}

export type Services = ReturnType<typeof openServices>

export function openServices(options: ServicesOptions) {
  const { config, logger, build, publicUrl, makerUrl, tracer, errors, closing } = options
  const metrics = createMetrics()
  const troubles = createTroubles({ logger })
  const misconfigurations = createMisconfigurations(troubles)
  const view = (row: PresentationRow) =>
    presentationView(row, {
      publicUrl: publicUrl.read(),
      appLink: config.appLink,
      makerUrl: maker.readUrl(),
    })
  const adapters = openAdapters({
    config,
    logger,
    metrics,
    troubles,
    misconfigurations,
    describePresentation: async (client, id) => view(await readPresentation(client, id)),
  })
  const { database, objects, presenton } = adapters
  const maker = createMaker({ adapters, makerUrl })
  const presentonChecks = createPresentonChecks({
    presenton,
    config: config.presenton,
    misconfigurations,
    logger,
    closing,
    hasMaker: makerUrl !== undefined,
  })
  const migration = createMigration({ ...config.database, troubles, closing })
  const presign: Presign = (file) =>
    objects.presign({ ...file, expiresInSeconds: config.objects.downloadLinkSeconds })

  const { version } = build
  const webhooks = createWebhooks({
    config,
    logger,
    adapters,
    metrics,
    troubles,
    publicUrl,
    version,
    tracer,
  })
  const countRuns = createRunCounts({ database })
  const hub = openHub({ config, logger, adapters, metrics, view, presign })
  const realtime = openRealtime({
    config,
    logger,
    adapters,
    metrics,
    hub,
    publicUrl,
    readMakerUrl: maker.readUrl,
    countRuns,
    closing,
  })
  const health = createHealthChecks({
    build,
    closing,
    adapters,
    migration,
    presentonChecks,
    troubles,
  })
  metrics.addSources({
    countRuns,
    openStreams: () => hub.openStreams(),
    openWebSockets: () => realtime.connections.openWebSockets(),
    breakerState: () => presenton.state().breaker,
    pendingDeliveries: webhooks.countPending,
  })

  const features: Features = {
    maker: maker.api,
    auth: {
      verify: createVerifier({ config, logger, metrics, troubles }),
      redeemTicket: (used) => redeemTicket(database, used),
    },
    presentations: createPresentationServices({ config, adapters, view, presign }),
    sources: createSources({
      config: config.sources,
      adapters,
      publicUrl: publicUrl.read,
      presign,
      logger,
      metrics,
    }),
    events: { follow: hub.follow },
    ...createSmallFeatures(options, adapters),
    ...realtime.features,
    webhooks: webhooks.services,
    operations: { health, metrics: metrics.scrape },
  }
  return {
    adapters,
    metrics,
    troubles,
    migration,
    tracer,
    errors,
    hub,
    realtime,
    webhooks,
    presentonChecks,
    maker,
    features,
  }
}

/** Features that need nothing but the adapters. */
function createSmallFeatures(
  { config, makerUrl }: ServicesOptions,
  { database, presenton }: Adapters,
): Pick<Features, 'tickets' | 'images' | 'templates' | 'capabilities' | 'usage'> {
  return {
    tickets: { issueTicket: (request) => issueTicket(database, request) },
    images: {
      openImage: presenton.openImage,
      findAccount: createFindAccount({ database, presenton }),
    },
    templates: {
      async listTemplates({ userId, signal }) {
        const account = await presenton.accountFor(userId, signal)
        return presenton.listTemplates({ account, signal })
      },
    },
    capabilities: { ...presenton, hasMaker: makerUrl !== undefined },
    usage: {
      readUsage: (userId) => readUsage(database, userId, config.quotas, config.sources),
    },
  }
}

function openHub({
  config,
  logger,
  adapters: { database, channels },
  metrics,
  view,
  presign,
}: PresentationServicesOptions & { logger: Logger; metrics: Metrics }) {
  return createHub({
    database,
    channels,
    heartbeatMs: config.events.heartbeatMs,
    ...config.limits,
    async describe(reader) {
      const row = await findPresentation(database, reader)
      return row ? view(row) : {}
    },
    async describeDownload(reader) {
      const row = await findPresentation(database, reader)
      const file = row?.makesFile && row.files.find(({ format }) => format === row.runFormat)
      return row && file ? downloadView({ title: row.title, file }, presign) : null
    },
    onTrouble: (error) => logger.warn({ err: error }, 'reading an event log failed'),
    onDelivered: metrics.onEventsDelivered,
  })
}
