// The composition root: services, servers and background work, each created from the configuration
// and given what it needs. No outside service has to be up at the start: without Postgres the
// process is live but not ready, without Presenton or MinIO it is degraded.
import type { Config } from '../config/config.ts'
import type { RetryTiming } from '../generation/context.ts'
import type { ErrorReports } from '../telemetry/errors/error-reports.ts'
import { openErrorReports } from '../telemetry/errors/open-error-reports.ts'
import type { Logger } from '../telemetry/logging.ts'
import { openTracer } from '../telemetry/traces/open-tracer.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import { readBuildInfo, releaseOf } from './build-info.ts'
import { startLifecycle } from './lifecycle.ts'
import { createMakerServer, createMakerUrl } from './maker.ts'
import { createMakerDecks } from './maker-decks.ts'
import { createMakerFiles } from './maker-files.ts'
import { createMakerPaid } from './maker-paid.ts'
import { createOperationsServer } from './operations-server.ts'
import { createPublicUrl } from './public-url.ts'
import { createServer } from './server.ts'
import { openServices } from './services.ts'
import { readSite } from './site.ts'
import { startBackground } from './worker.ts'

export interface AppOptions {
  config: Config
  logger: Logger
  /** How runs wait between attempts; for tests that drive time. */
  timing?: RetryTiming | undefined
  /** Default: what the configuration says. */
  errors?: ErrorReports | undefined
  /** Default: what the configuration says. */
  tracer?: Tracer | undefined
}

export async function openApp(options: AppOptions) {
  const { config, logger, timing } = options
  const closing = new AbortController()
  const build = readBuildInfo()
  const publicUrl = createPublicUrl(config)
  const errors =
    options.errors ??
    (await openErrorReports(config.errorReports, { release: releaseOf(build), logger }))
  const tracer =
    options.tracer ?? (await openTracer(config.traces, { version: build.version, logger }))
  const makerUrl = config.maker && createMakerUrl(config.maker)
  const services = openServices({
    config,
    logger,
    build,
    publicUrl,
    makerUrl,
    tracer,
    errors,
    closing: closing.signal,
  })
  const { features, metrics } = services
  const server = await createServer({
    config,
    logger,
    version: build.version,
    features,
    publicUrl: publicUrl.read,
    site: readSite(config, logger),
    closing: closing.signal,
    onRequestCompleted: metrics.onRequestCompleted,
    tracer,
    reportError: errors?.report,
  })
  const operations =
    config.opsPort === undefined
      ? undefined
      : await createOperationsServer({
          config,
          logger,
          features,
          tracer,
          reportError: errors?.report,
        })
  const files = createMakerFiles({ config, ...services })
  const maker =
    config.maker && makerUrl
      ? await createMakerServer({
          config,
          logger,
          makerUrl,
          maker: config.maker,
          services: services.maker.services,
          presenton: services.adapters.presenton,
          handlers: {
            ...createMakerPaid({ config, logger, ...services, ...files }),
            ...createMakerDecks({ config, ...services }),
            ...files.handlers,
          },
          closing: closing.signal,
          onRequestCompleted: metrics.onRequestCompleted,
          tracer,
          reportError: errors?.report,
        })
      : undefined
  for (const warning of config.warnings) logger.warn(warning)
  warnOfOpenAudience(config, logger)
  return startLifecycle({
    config,
    logger,
    services,
    publicUrl,
    server,
    operations,
    maker,
    makerUrl,
    closing,
    startBackground: () => startBackground({ config, logger, services, timing }),
  })
}

function warnOfOpenAudience({ auth }: Config, logger: Logger): void {
  const isRemote = auth.keySources.some(({ kind }) => kind === 'jwks')
  if (!isRemote || (auth.issuer !== undefined && auth.audience.length > 0)) return
  logger.warn(
    'AUTH_ISSUER and AUTH_AUDIENCE are not both set: tokens that the keys of AUTH_JWKS_URL sign for other services are accepted, too',
  )
}
