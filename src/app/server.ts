// The HTTP side put together: one public scope, one that needs a caller, and everything they need
// given as arguments. Read from top to bottom it is the list of all that this service answers.

import cors from '@fastify/cors'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/config.ts'
import { type FollowEvents, followEventsRoute } from '../events/routes/follow-events.ts'
import { type AuthOptions, authenticate, createAnonymousRateLimit } from '../http/auth.ts'
import { type App, type CompletedRequest, createBase } from '../http/base.ts'
import { limitConnections } from '../http/connection-limit.ts'
import { drainOnClose } from '../http/drain-on-close.ts'
import { describeRoutes, openapiRoutes } from '../http/openapi.ts'
import { type CheckRateLimit, createRateLimit } from '../http/rate-limit.ts'
import { sharedSchemas } from '../http/schemas.ts'
import type { TokenVerifier } from '../http/tokens.ts'
import { type ImageServices, imageRoutes } from '../images/routes/read-image.ts'
import { type HealthRoutes, healthRoutes } from '../operations/routes/health.ts'
import { type MetricsRoute, metricsRoute } from '../operations/routes/metrics.ts'
import type { PresentationCommands } from '../presentations/commands.ts'
import { createAcceptedResponse } from '../presentations/respond.ts'
import { approveOutlinesRoute } from '../presentations/routes/approve-outlines.ts'
import { cancelPresentationRoute } from '../presentations/routes/cancel-presentation.ts'
import {
  type CreatePresentation,
  createPresentationRoute,
} from '../presentations/routes/create-presentation.ts'
import { deletePresentationRoute } from '../presentations/routes/delete-presentation.ts'
import {
  type DownloadPresentation,
  downloadPresentationRoute,
} from '../presentations/routes/download-presentation.ts'
import { exportPresentationRoute } from '../presentations/routes/export-presentation.ts'
import {
  type ListPresentations,
  listPresentationsRoute,
} from '../presentations/routes/list-presentations.ts'
import { readOutlinesRoute } from '../presentations/routes/read-outlines.ts'
import {
  type ReadPresentation,
  readPresentationRoute,
} from '../presentations/routes/read-presentation.ts'
import { renamePresentationRoute } from '../presentations/routes/rename-presentation.ts'
import { retryPresentationRoute } from '../presentations/routes/retry-presentation.ts'
import type { PresentationRow } from '../presentations/statements/queries.ts'
import { apiPrefix, presentationView } from '../presentations/view.ts'
import { createSessionRoute, deleteSessionRoute } from '../session/routes/session.ts'
import { type ListTemplates, listTemplatesRoute } from '../templates/routes/list-templates.ts'
import { type IssueTicket, issueTicketRoute } from '../tickets/routes/issue-ticket.ts'
import { type ReadUsage, readUsageRoute } from '../usage/routes/read-usage.ts'

/** What the routes call. */
export type Services = Pick<CreatePresentation, 'accept'> &
  Pick<ListPresentations, 'listPresentations'> &
  Pick<ReadPresentation, 'findPresentation' | 'waitUntilSettled'> &
  FollowEvents &
  IssueTicket &
  PresentationCommands &
  ImageServices &
  ReadUsage &
  Pick<DownloadPresentation, 'presign'> &
  ListTemplates &
  HealthRoutes &
  MetricsRoute &
  Pick<AuthOptions, 'redeemTicket'> & { verify: TokenVerifier }

export interface ServerOptions {
  config: Pick<
    Config,
    | 'port'
    | 'opsPort'
    | 'publicUrl'
    | 'appLink'
    | 'trustProxy'
    | 'corsOrigins'
    | 'limits'
    | 'presenton'
    | 'events'
    | 'shutdownGraceMs'
  >
  logger: FastifyBaseLogger
  version: string
  services: Services
  /** Aborts when a shutdown begins: those who wait are answered, and no connection is kept. */
  closing: AbortSignal
  onRequestCompleted?: (answered: CompletedRequest) => void
}

export type OperationsOptions = Pick<ServerOptions, 'config' | 'logger'> & {
  services: HealthRoutes & MetricsRoute
}

const corsHeaders = {
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID'],
  exposedHeaders: [
    'Location',
    'Retry-After',
    'RateLimit-Limit',
    'RateLimit-Remaining',
    'RateLimit-Reset',
    'Idempotency-Replayed',
    'Content-Disposition',
  ],
}

/**
 * Everything but, with OPS_PORT set, health and metrics. Not listening yet; `close()` lets requests
 * under way end first.
 */
export async function openServer({
  config,
  logger,
  version,
  services,
  closing,
  onRequestCompleted,
}: ServerOptions): Promise<App> {
  let limitAnonymous: CheckRateLimit = async () => {}
  const app = createBase({
    ...baseOptions(config, logger),
    onRequestCompleted,
    limitUnknown: (...asked) => limitAnonymous(...asked),
  })
  const { limits } = config
  const publicUrl = () => config.publicUrl ?? `http://localhost:${boundPort(app) ?? config.port}`
  const view = (row: PresentationRow) =>
    presentationView(row, { publicUrl: publicUrl(), appLink: config.appLink })
  const respond = createAcceptedResponse(view)
  const isTrustedOrigin = (origin: string) =>
    origin === new URL(publicUrl()).origin || config.corsOrigins.includes(origin)

  limitConnections(app, config.limits)
  drainOnClose(app, { closing, graceMs: config.shutdownGraceMs })
  if (config.corsOrigins.length > 0) {
    await app.register(cors, {
      ...corsHeaders,
      origin: [...config.corsOrigins],
      credentials: true,
      maxAge: 600,
      strictPreflight: false,
    })
  }
  app.decorateRequest('caller')
  const checkRateLimit = await createRateLimit(app, { perMinute: limits.rateLimitPerMinute })
  limitAnonymous = createAnonymousRateLimit({ ...services, checkRateLimit })
  await describeRoutes(app, { version })

  if (config.opsPort === undefined)
    await app.register(async (scope: App) => operations(scope, services))
  await app.register(async (scope: App) => {
    scope.addHook('onRequest', limitAnonymous)
    await openapiRoutes(scope, { publicUrl })
  })

  await app.register(
    async (scope: App) => {
      await scope.register(async (anybody: App) => {
        anybody.addHook('onRequest', limitAnonymous)
        deleteSessionRoute(anybody, { publicUrl, isTrustedOrigin })
      })
      await scope.register(async (own: App) => {
        authenticate(own, { ...services, isTrustedOrigin, checkRateLimit })
        createSessionRoute(own, { publicUrl })
        createPresentationRoute(own, {
          limits,
          defaultTemplate: config.presenton.defaultTemplate,
          respond,
          ...services,
        })
        listPresentationsRoute(own, { view, ...services })
        readPresentationRoute(own, { view, closing, ...services })
        renamePresentationRoute(own, { view, ...services })
        deletePresentationRoute(own, services)
        cancelPresentationRoute(own, { view, ...services })
        retryPresentationRoute(own, { respond, ...services })
        readOutlinesRoute(own, services)
        approveOutlinesRoute(own, { limits, view, ...services })
        followEventsRoute(own, services)
        issueTicketRoute(own, services)
        downloadPresentationRoute(own, services)
        exportPresentationRoute(own, { respond, ...services })
        readUsageRoute(own, services)
        listTemplatesRoute(own, services)
      })
    },
    { prefix: apiPrefix },
  )
  await app.register(async (own: App) => {
    authenticate(own, { ...services, isTrustedOrigin, checkRateLimit })
    await imageRoutes(own, services)
  })
  return app
}

/** The listener of OPS_PORT: health and metrics alone. */
export async function openOperationsServer({
  config,
  logger,
  services,
}: OperationsOptions): Promise<App> {
  const app = createBase(baseOptions(config, logger))
  for (const schema of sharedSchemas) app.addSchema(schema)
  operations(app, services)
  return app
}

function operations(app: App, services: HealthRoutes & MetricsRoute) {
  healthRoutes(app, services)
  metricsRoute(app, services)
}

function baseOptions(
  { publicUrl = '', trustProxy, corsOrigins, events }: ServerOptions['config'],
  logger: FastifyBaseLogger,
) {
  return {
    logger,
    trustProxy,
    security: { isHttps: publicUrl.startsWith('https:'), isShared: corsOrigins.length > 0 },
    // Above the longest silence of an honest connection: a `wait` of 60 s, or the gap between two
    // heartbeats.
    idleTimeoutMs: Math.max(90_000, 3 * events.heartbeatMs),
  }
}

function boundPort(app: App): number | undefined {
  const address = app.server.address()
  return typeof address === 'object' ? address?.port : undefined
}
