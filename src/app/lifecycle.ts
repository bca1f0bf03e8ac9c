// Starts the servers and the background work, and closes everything in stages.
import type { AddressInfo } from 'node:net'
import { sleep } from '../async/signals.ts'
import type { Config } from '../config/config.ts'
import type { App } from '../http/base.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { MakerUrl } from './maker.ts'
import type { PublicUrl } from './public-url.ts'
import type { Services } from './services.ts'
import type { Background } from './worker.ts'

export interface LifecycleOptions {
  config: Config
  logger: Logger
  services: Pick<
    Services,
    'adapters' | 'hub' | 'realtime' | 'migration' | 'presentonChecks' | 'tracer' | 'errors'
  >
  publicUrl: PublicUrl
  /** Not listening yet. */
  server: App
  /** The server of OPS_PORT, where it is set. */
  operations: App | undefined
  /** The server of the slide maker, where there is one, and its address. */
  maker: App | undefined
  makerUrl: MakerUrl | undefined
  /** Aborted by `close()`. */
  closing: AbortController
  startBackground: () => Background
}

/** How long clients may take to close once all runs and requests have ended. */
const closeTimeoutMs = 5_000

/** Resolves once requests are served; migrations and workers follow once Postgres responds. */
export async function startLifecycle({
  config,
  logger,
  services: { adapters, hub, realtime, migration, presentonChecks, tracer, errors },
  publicUrl,
  server,
  operations,
  maker,
  makerUrl,
  closing,
  startBackground,
}: LifecycleOptions) {
  const address = await listen()
  const checks = presentonChecks.run()
  const background = migration
    .run()
    .then((isMigrated) => (isMigrated ? startBackground() : undefined))

  async function listen(): Promise<string> {
    await server.listen({ host: config.host, port: config.port })
    await operations?.listen({ host: config.host, port: config.opsPort ?? 0 })
    publicUrl.setPort(portOf(server))
    if (maker && makerUrl) {
      await maker.listen({ host: config.host, port: config.maker?.port ?? 0 })
      makerUrl.setPort(portOf(maker))
      logger.info({ address: makerUrl.read() }, 'the slide maker is listening')
    }
    const port = portOf(server)
    const host = config.host.includes(':') ? `[${config.host}]` : config.host
    const url = `http://${host}:${port}`
    // Scripts that start the process wait for this line, so only `silent` suppresses it.
    const announcer = config.logLevel === 'silent' ? logger : logger.child({}, { level: 'info' })
    announcer.info({ address: url }, 'listening')
    return url
  }

  return {
    address,
    /** How browsers reach the slide maker; undefined where there is none. */
    makerAddress: makerUrl?.read(),
    /** Resolves once the worker claims runs; rejects when a migration fails. */
    started: background.then(() => undefined),

    /**
     * Readiness turns 503; streams end; runs end or are released; requests end; connections close.
     * Streams and requests have SHUTDOWN_GRACE_SECONDS, paid stages DRAIN_SECONDS. Until the last
     * run has ended the server responds, so probes see a replica that is not ready, not a crash.
     */
    async close(): Promise<void> {
      closing.abort()
      hub.close()
      realtime.close()
      const { listener, worker, housekeeping, webhookSender } =
        (await background.catch(() => undefined)) ?? {}
      await Promise.all([
        within(config.shutdownGraceMs, housekeeping?.close()),
        webhookSender?.close(config.shutdownGraceMs),
        worker?.close(config.drainMs),
      ])
      await Promise.all([server.close(), maker?.close(), checks])
      const { database, renewals, channels, objects, presenton } = adapters
      await within(
        closeTimeoutMs,
        Promise.all([operations?.close(), presenton.close(), objects.close(), channels.close()]),
      )
      await within(
        closeTimeoutMs,
        Promise.all([
          listener?.close(),
          renewals.close(),
          database.close(),
          tracer?.close(),
          errors?.flush(),
        ]),
      )
    },
  }
}

const portOf = ({ server }: App) => (server.address() as AddressInfo).port

/** Settles with the promise, or resolves after `ms`. */
async function within(ms: number, promise: Promise<unknown> | undefined): Promise<void> {
  const settled = new AbortController()
  const timeout = sleep(ms, settled.signal).catch(() => undefined)
  await Promise.race([promise, timeout]).finally(() => settled.abort())
}
