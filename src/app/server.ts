// The public server and the list of its routes. A new transport registers a scope that chooses its
// caller rule (`requireCaller`, `limitAnonymous`), body parser, `securityHeaders`, `cacheControl`.
// docs/architecture.md, "Adding a transport", has the details.

import type { FastifyBaseLogger } from 'fastify'
import {
  type ReadCapabilities,
  readCapabilitiesRoute,
} from '../capabilities/routes/read-capabilities.ts'
import type { Config } from '../config/config.ts'
import { type FollowEvents, followEventsRoute } from '../events/routes/follow-events.ts'
import { type AuthOptions, authenticate, createAnonymousRateLimit } from '../http/auth.ts'
import { type App, type BaseOptions, createBase } from '../http/base.ts'
import { jsonBodies } from '../http/body/json-bodies.ts'
import { limitConnections } from '../http/connection-limit.ts'
import { allowOrigins } from '../http/cors.ts'
import { drainOnClose } from '../http/drain-on-close.ts'
import { describeRoutes, openapiRoutes } from '../http/openapi.ts'
import { normalizeParameters } from '../http/parameters.ts'
import { createRateLimit, limitRequests, limitUnknownRoutes } from '../http/rate-limit.ts'
import { cacheControl } from '../http/security-headers.ts'
import { allowSlowResponses } from '../http/slow-responses.ts'
import { type ImageServices, imageRoutes } from '../images/routes/read-image.ts'
import { type MakerApi, makerApiRoutes } from '../maker/routes/maker-links.ts'
import { describeResourceRoutes, metadataPath } from '../mcp/routes/describe-resource.ts'
import { mcpRoutes } from '../mcp/routes.ts'
import type { Announce } from '../notifications/routes/announce.ts'
import {
  type NotificationServices,
  notificationWebSocketRoutes,
  userNotificationRoutes,
} from '../notifications/routes.ts'
import { type OperationsRoutes, operationsRoutes } from '../operations/routes.ts'
import { type PresentationServices, presentationRoutes } from '../presentations/routes.ts'
import { apiPrefix, presentationUrl } from '../presentations/view.ts'
import {
  createIsWebSocketPath,
  type RealtimeRoutes,
  realtimeRoutes,
  realtimeWebSocketRoutes,
} from '../realtime/routes.ts'
import { acceptUpgrades } from '../realtime/upgrades.ts'
import { sessionRoutes } from '../session/routes.ts'
import type { SiteFiles } from '../site/files.ts'
import { showUnknownPages, siteRoutes } from '../site/routes.ts'
import { type SourceServices, sourceRoutes } from '../sources/routes.ts'
import { type ListTemplates, listTemplatesRoute } from '../templates/routes/list-templates.ts'
import { type IssueTicket, issueTicketRoute } from '../tickets/routes/issue-ticket.ts'
import { type ReadUsage, readUsageRoute } from '../usage/routes/read-usage.ts'
import { ownWebhookRoutes, type WebhookServices } from '../webhooks/routes.ts'
import { baseOptions } from './base-options.ts'

/** What the routes call, by feature folder. */
export interface Features {
  auth: Pick<AuthOptions, 'verify' | 'redeemTicket'>
  presentations: PresentationServices
  sources: SourceServices
  events: FollowEvents
  tickets: IssueTicket
  images: ImageServices
  templates: ListTemplates
  capabilities: ReadCapabilities
  usage: ReadUsage
  realtime: RealtimeRoutes
  notifications: NotificationServices & Announce
  webhooks: WebhookServices
  maker: MakerApi
  operations: OperationsRoutes
}

export interface ServerOptions {
  config: Config
  logger: FastifyBaseLogger
  version: string
  features: Features
  /** The base of all links, without a slash at the end. */
  publicUrl: () => string
  /** The page; undefined where it is not served. */
  site?: SiteFiles | undefined
  /** Aborts when the shutdown begins: requests with `wait` end, connections close. */
  closing: AbortSignal
  onRequestCompleted?: BaseOptions['onRequestCompleted']
  tracer?: BaseOptions['tracer']
  reportError?: BaseOptions['reportError']
}

/** For a change of slides that waits for its deck, and then for Presenton several times. */
const slowestResponseMs = 180_000

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
  site,
  closing,
  onRequestCompleted,
  tracer,
  reportError,
}: ServerOptions): Promise<App> {
  const app = createBase({
    ...baseOptions(config, logger),
    onRequestCompleted,
    tracer,
    reportError,
  })
  const { corsOrigins, limits, presenton } = config
  const { verify, redeemTicket } = features.auth
  const isTrustedOrigin = (origin: string) =>
    origin === new URL(publicUrl()).origin || corsOrigins.includes(origin)

  allowSlowResponses(app, slowestResponseMs)
  limitConnections(app, { ...limits, maxWebSockets: config.realtime.maxWebSockets })
  drainOnClose(app, { closing, graceMs: config.shutdownGraceMs })
  await allowOrigins(app, {
    origins: corsOrigins,
    headers: config.corsHeaders,
    publicPrefix: config.mcp ? metadataPath : undefined,
  })
  app.decorateRequest('caller')
  const checkRateLimit = await createRateLimit(app, { perMinute: limits.rateLimitPerMinute })
  const limitAnonymous = createAnonymousRateLimit({ verify, checkRateLimit, publicUrl })
  limitUnknownRoutes(app, limitAnonymous)
  const requireCaller = (scope: App) =>
    authenticate(scope, { verify, redeemTicket, isTrustedOrigin, checkRateLimit, publicUrl })
  await describeRoutes(app, { version })

  if (config.opsPort === undefined) await app.register(operationsRoutes, features.operations)
  await app.register(async (scope: App) => {
    limitRequests(scope, limitAnonymous)
    await openapiRoutes(scope, { publicUrl })
  })

  if (site) {
    showUnknownPages(app, { files: site, publicUrl })
    await app.register(async (scope: App) => {
      limitRequests(scope, limitAnonymous)
      await siteRoutes(scope, { files: site, publicUrl })
    })
  }
  if (config.mcp) {
    await app.register(async (scope: App) => {
      limitRequests(scope, limitAnonymous)
      await describeResourceRoutes(scope, { publicUrl, issuer: config.auth.issuer })
    })
    await app.register(mcpRoutes, {
      presentations: features.presentations,
      ...features.templates,
      ...features.usage,
      limits,
      defaultTemplate: presenton.defaultTemplate,
      closing,
      version,
      publicUrl,
      verify,
      isTrustedOrigin,
      checkRateLimit,
    })
  }
  await app.register(
    async (api: App) => {
      cacheControl(api, 'no-store')
      jsonBodies(api)
      normalizeParameters(api)
      await api.register(sessionRoutes, {
        publicUrl,
        isTrustedOrigin,
        requireCaller,
        limitAnonymous,
      })
      await api.register(async (scope: App) => {
        requireCaller(scope)
        await scope.register(presentationRoutes, {
          presentations: features.presentations,
          limits,
          defaultTemplate: presenton.defaultTemplate,
          urlOf: (id) => presentationUrl(publicUrl(), id),
          closing,
        })
        await scope.register(sourceRoutes, {
          sources: features.sources,
          maxRequestBytes: config.sources.maxRequestBytes,
        })
        followEventsRoute(scope, features.events)
        issueTicketRoute(scope, features.tickets)
        readUsageRoute(scope, features.usage)
        listTemplatesRoute(scope, features.templates)
        readCapabilitiesRoute(scope, features.capabilities)
        realtimeRoutes(scope, features.realtime, config.realtime)
        userNotificationRoutes(scope, features.notifications)
        ownWebhookRoutes(scope, features.webhooks)
        makerApiRoutes(scope, features.maker)
      })
      await api.register(async (scope: App) => {
        const isWebSocketPath = createIsWebSocketPath(apiPrefix)
        await acceptUpgrades(scope, { isWebSocketPath, limitAnonymous })
        requireCaller(scope)
        realtimeWebSocketRoutes(scope, features.realtime)
        notificationWebSocketRoutes(scope, features.notifications)
      })
    },
    { prefix: apiPrefix },
  )
  await app.register(async (scope: App) => {
    requireCaller(scope)
    imageRoutes(scope, features.images)
  })
  return app
}
