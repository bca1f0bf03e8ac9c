// The servers and the list of their routes: each scope chooses its authentication and limits, each
// feature folder registers its own routes.

import cors from '@fastify/cors'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/config.ts'
import { type FollowEvents, followEventsRoute } from '../events/routes/follow-events.ts'
import { type AuthOptions, authenticate, createAnonymousRateLimit } from '../http/auth.ts'
import { type App, type BaseOptions, createBase } from '../http/base.ts'
import { limitConnections } from '../http/connection-limit.ts'
import { drainOnClose } from '../http/drain-on-close.ts'
import { describeRoutes, openapiRoutes } from '../http/openapi.ts'
import { type CheckRateLimit, createRateLimit } from '../http/rate-limit.ts'
import { sharedSchemas } from '../http/schemas.ts'
import { type ImageServices, imageRoutes } from '../images/routes/read-image.ts'
import { type OperationsRoutes, operationsRoutes } from '../operations/routes.ts'
import { type PresentationServices, presentationRoutes } from '../presentations/routes.ts'
import { apiPrefix } from '../presentations/view.ts'
import { createSessionRoute, deleteSessionRoute } from '../session/routes/session.ts'
import { type ListTemplates, listTemplatesRoute } from '../templates/routes/list-templates.ts'
import { type IssueTicket, issueTicketRoute } from '../tickets/routes/issue-ticket.ts'
import { type ReadUsage, readUsageRoute } from '../usage/routes/read-usage.ts'

/** What the routes call, by feature folder. */
export interface Features {
  auth: Pick<AuthOptions, 'verify' | 'redeemTicket'>
  presentations: PresentationServices
  events: FollowEvents
  tickets: IssueTicket
  images: ImageServices
  templates: ListTemplates
  usage: ReadUsage
  operations: OperationsRoutes
}

export interface ServerOptions {
  config: Config
  logger: FastifyBaseLogger
  version: string
  features: Features
  /** The base of all links, without a slash at the end. */
  publicUrl: () => string
  /** Aborts when the shutdown begins: waiting requests are answered, and connections not kept. */
  closing: AbortSignal
  onRequestCompleted?: BaseOptions['onRequestCompleted']
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
 * The public server, with health and metrics unless OPS_PORT is set. It does not listen yet;
 * `close()` waits for requests under way.
 */
export async function createServer({
  config,
  logger,
  version,
  features,
  publicUrl,
  closing,
  onRequestCompleted,
}: ServerOptions): Promise<App> {
  let limitAnonymous: CheckRateLimit = async () => {}
  const app = createBase({
    ...baseOptions(config, logger),
    onRequestCompleted,
    limitUnknown: (request, reply) => limitAnonymous(request, reply),
  })
  const { corsOrigins, limits, presenton } = config
  const isTrustedOrigin = (origin: string) =>
    origin === new URL(publicUrl()).origin || corsOrigins.includes(origin)

  limitConnections(app, limits)
  drainOnClose(app, { closing, graceMs: config.shutdownGraceMs })
  if (corsOrigins.length > 0) {
    await app.register(cors, {
      ...corsHeaders,
      origin: [...corsOrigins],
      credentials: true,
      maxAge: 600,
      strictPreflight: false,
    })
  }
  app.decorateRequest('caller')
  const checkRateLimit = await createRateLimit(app, { perMinute: limits.rateLimitPerMinute })
  limitAnonymous = createAnonymousRateLimit({ verify: features.auth.verify, checkRateLimit })
  await describeRoutes(app, { version })

  if (config.opsPort === undefined) await app.register(operationsRoutes, features.operations)
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
        authenticate(own, { ...features.auth, isTrustedOrigin, checkRateLimit })
        createSessionRoute(own, { publicUrl })
        await own.register(presentationRoutes, {
          presentations: features.presentations,
          limits,
          defaultTemplate: presenton.defaultTemplate,
          closing,
        })
        followEventsRoute(own, features.events)
        issueTicketRoute(own, features.tickets)
        readUsageRoute(own, features.usage)
        listTemplatesRoute(own, features.templates)
      })
    },
    { prefix: apiPrefix },
  )
  await app.register(async (own: App) => {
    authenticate(own, { ...features.auth, isTrustedOrigin, checkRateLimit })
    await imageRoutes(own, features.images)
  })
  return app
}

export interface OperationsServerOptions {
  config: Pick<Config, 'publicUrl' | 'trustProxy' | 'corsOrigins' | 'events'>
  logger: FastifyBaseLogger
  operations: OperationsRoutes
}

/** The server of OPS_PORT: health and metrics only. */
export async function createOperationsServer({
  config,
  logger,
  operations,
}: OperationsServerOptions): Promise<App> {
  const app = createBase(baseOptions(config, logger))
  for (const schema of sharedSchemas) app.addSchema(schema)
  await app.register(operationsRoutes, operations)
  return app
}

function baseOptions(
  { publicUrl = '', trustProxy, corsOrigins, events }: OperationsServerOptions['config'],
  logger: FastifyBaseLogger,
) {
  return {
    logger,
    trustProxy,
    security: { isHttps: publicUrl.startsWith('https:'), isShared: corsOrigins.length > 0 },
    // Above the longest silence of a healthy connection: a `wait` of 60 s, or two heartbeats.
    idleTimeoutMs: Math.max(90_000, 3 * events.heartbeatMs),
  }
}
