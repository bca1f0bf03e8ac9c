// The server of OPS_PORT, which only operators reach.

import type { FastifyBaseLogger } from 'fastify'
import { type App, type BaseOptions, createBase } from '../http/base.ts'
import { sharedSchemas } from '../http/schemas.ts'
import { announceRoute } from '../notifications/routes/announce.ts'
import { operationsRoutes } from '../operations/routes.ts'
import { readStatsRoute } from '../realtime/routes/read-stats.ts'
import { type BaseConfig, baseOptions } from './base-options.ts'
import type { Features } from './server.ts'

export interface OperationsServerOptions {
  config: BaseConfig
  logger: FastifyBaseLogger
  features: Pick<Features, 'operations' | 'realtime' | 'notifications'>
  tracer?: BaseOptions['tracer']
  reportError?: BaseOptions['reportError']
}

/** The server of OPS_PORT: health, metrics, statistics and announcements. */
export async function createOperationsServer({
  config,
  logger,
  features,
  tracer,
  reportError,
}: OperationsServerOptions): Promise<App> {
  const app = createBase({ ...baseOptions(config, logger), tracer, reportError })
  for (const schema of sharedSchemas) app.addSchema(schema)
  await app.register(operationsRoutes, features.operations)
  await app.register(async (scope: App) => {
    readStatsRoute(scope, features.realtime, { isPublic: true })
    await announceRoute(scope, features.notifications)
  })
  return app
}
