// The composition root: opens what the gateway stands on, gives each part what it needs, and closes
// everything in stages. Nothing here is needed to be up at the start: without Postgres the process
// lives and waits, without the rest it is degraded.
import type { AddressInfo } from 'node:net'
import { jitterMs } from '../async/backoff.ts'
import { sleep } from '../async/signals.ts'
import type { Config } from '../config/config.ts'
import { createChannels } from '../database/channels.ts'
import { isDatabaseAway, openDatabase } from '../database/connection.ts'
import { ownsImage } from '../database/images.ts'
import { readUsage } from '../database/ledger.ts'
import { openListener } from '../database/listener.ts'
import { migrate } from '../database/migrate.ts'
import { createHub } from '../events/hub.ts'
import type { RetryTiming } from '../generation/context.ts'
import { openWorker } from '../generation/worker.ts'
import { createTokenVerifier } from '../http/tokens.ts'
import { createObjectStore } from '../objects/store.ts'
import { createHealth } from '../operations/health.ts'
import { createRunCounts } from '../operations/statements/run-counts.ts'
import { createAdmission } from '../presentations/accept.ts'
import { createPresentationCommands } from '../presentations/commands.ts'
import { findPresentation, listPresentations } from '../presentations/statements/queries.ts'
import { downloadView, presentationView } from '../presentations/view.ts'
import { createWaitUntilSettled } from '../presentations/wait-until-settled.ts'
import { createPresenton } from '../presenton/client.ts'
import type { Logger } from '../telemetry/logging.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { issueTicket, redeemTicket, type TicketRequest } from '../tickets/statements.ts'
import { readBuildInfo } from './build-info.ts'
import { openHousekeeping } from './housekeeping.ts'
import { openOperationsServer, openServer } from './server.ts'

export interface AppOptions {
  config: Config
  logger: Logger
  /** How runs wait between attempts; for tests that drive time. */
  waits?: RetryTiming | undefined
}

export type OpenedApp = Awaited<ReturnType<typeof openApp>>

export async function openApp({ config, logger, waits = {} }: AppOptions) {
  const closing = new AbortController()
  const { version, commit } = readBuildInfo()
  const database = openDatabase({
    ...config.database,
    onIdleError: (error) => logger.warn({ err: error }, 'a database connection broke'),
  })
  // A connection of its own for the leases: they are renewed however busy the pool is, and an
  // answer that is late for them is no answer.
  const renewals = openDatabase({
    url: config.database.url,
    poolMax: 1,
    silenceMs: Math.max(500, config.leaseMs / 3),
  })
  const channels = createChannels(database)
  const metrics = createMetrics({
    countRuns: createRunCounts({ database }),
    openStreams: () => hub.openStreams(),
    breakerState: () => presenton.state().breaker,
  })
  const objects = createObjectStore({ ...config.objects, logger })
  const presenton = openPresenton(config, logger, metrics)

  let address = ''
  let isMigrated = false
  const publicUrl = () => config.publicUrl ?? `http://localhost:${new URL(address).port}`
  const presign = (file: { key: string; fileName: string; contentType: string }) =>
    objects.presign({ ...file, expiresInSeconds: config.objects.downloadLinkSeconds })

  const hub = createHub({
    database,
    channels,
    heartbeatMs: config.events.heartbeatMs,
    ...config.limits,
    async describe(reader) {
      const row = await findPresentation(database, reader)
      return row ? presentationView(row, { publicUrl: publicUrl(), appLink: config.appLink }) : {}
    },
    async describeDownload(reader) {
      const row = await findPresentation(database, reader)
      const file = row?.files.find(({ format }) => format === row.runFormat)
      return row && file ? downloadView({ title: row.title, file }, presign) : null
    },
    onTrouble: (error) => logger.warn({ err: error }, 'reading a log failed'),
    onDelivered: metrics.onDelivered,
  })
  const intake = createAdmission({
    database,
    channels,
    queue: config.queue,
    quotas: config.quotas,
    knownTemplates: presenton.knownTemplates,
  })
  const health = createHealth({
    version,
    commit,
    isClosing: () => closing.signal.aborted,
    pingDatabase: async () => {
      if (!isMigrated) throw new Error('The tables are not up to date yet.')
      await database.ping()
    },
    pingStorage: objects.ping,
    pingPresenton: presenton.ping,
    presentonState: presenton.state,
  })

  const services = {
    verify: createTokenVerifier(config.auth),
    accept: intake.accept,
    findPresentation: (wanted: { userId: string; id: string }) =>
      findPresentation(database, wanted),
    listPresentations: (query: Parameters<typeof listPresentations>[1]) =>
      listPresentations(database, query),
    waitUntilSettled: createWaitUntilSettled({ database, channels }),
    ...createPresentationCommands({
      database,
      channels,
      queue: config.queue,
      quotas: config.quotas,
    }),
    issueTicket: (request: TicketRequest) => issueTicket(database, request),
    redeemTicket: (used: { ticket: string; id: string }) => redeemTicket(database, used),
    readUsage: (userId: string) => readUsage(database, userId, config.quotas),
    follow: hub.follow,
    presign,
    listTemplates: presenton.listTemplates,
    openPicture: presenton.openPicture,
    ownsPicture: (wanted: { userId: string; path: string }) => ownsImage(database, wanted),
    health,
    metrics: metrics.scrape,
  }
  const server = await openServer({
    config,
    logger,
    version,
    services,
    closing: closing.signal,
    onRequestCompleted: metrics.onAnswered,
  })
  const operations =
    config.opsPort === undefined
      ? undefined
      : await openOperationsServer({ config, logger, services })

  /** What needs the tables: begins once they are there, which may be long after the start. */
  async function work() {
    if (!(await migrateWhenPossible())) return undefined
    isMigrated = true
    const listener = openListener({
      url: config.database.url,
      channels,
      onTrouble: (error) => logger.warn({ err: error }, 'the listening connection broke'),
    })
    if (!config.worker) return { listener }
    const dependencies = {
      database,
      presenton,
      objects,
      logger,
      waits,
      limits: {
        runTimeoutMs: config.runTimeoutMs,
        maxFileBytes: config.limits.maxFileBytes,
        downloadLinkSeconds: config.objects.downloadLinkSeconds,
        outlinesReviewHours: config.outlinesReviewHours,
      },
      onStage: metrics.onStage,
      onFirstSlide: metrics.onFirstSlide,
      onBytesCopied: metrics.onBytesCopied,
    }
    return {
      listener,
      worker: openWorker({
        dependencies,
        renewals,
        channels,
        slots: { ...config.queue, leaseMs: config.leaseMs },
      }),
      housekeeping: openHousekeeping({
        database,
        channels,
        objects,
        presenton,
        eventsRetentionHours: config.events.retentionHours,
        logger,
      }),
    }
  }

  async function migrateWhenPossible(): Promise<boolean> {
    while (config.database.migrateOnStart && !closing.signal.aborted) {
      try {
        await migrate(config.database.url, { signal: closing.signal })
        return true
      } catch (error) {
        if (closing.signal.aborted) return false
        // Anything but a database that is away stays wrong however often it is tried.
        if (!isDatabaseAway(error)) throw error
        logger.warn({ err: error }, 'the database is away; waiting for it')
        await sleep(jitterMs(1_000), closing.signal).catch(() => undefined)
      }
    }
    return !closing.signal.aborted
  }

  if (
    config.auth.kind === 'jwks' &&
    (config.auth.issuer === undefined || config.auth.audience === undefined)
  ) {
    logger.warn(
      'AUTH_ISSUER and AUTH_AUDIENCE are not both set: whatever the holder of these keys signs, for whomever, is let in',
    )
  }
  await server.listen({ host: config.host, port: config.port })
  await operations?.listen({ host: config.host, port: config.opsPort ?? 0 })
  const { port } = server.server.address() as AddressInfo
  address = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`
  // Whoever starts the process waits for this line, at whatever level it logs.
  const announcer = config.logLevel === 'silent' ? logger : logger.child({}, { level: 'info' })
  announcer.info({ address }, 'listening')
  const working = work()

  return {
    address,
    port,
    /** Rejects when the tables cannot be brought up to date; resolves once the worker claims. */
    started: working.then(() => undefined),
    /**
     * Ends in stages: not ready any more; streams end; runs end, or are handed back; requests end;
     * connections close. Requests and streams have the grace, paid stages the drain. Until the last
     * run is gone whoever asks is answered, so that those who watch see a replica that is not
     * ready, and not one that has died.
     */
    async close(): Promise<void> {
      closing.abort()
      hub.close()
      const { listener, worker, housekeeping } = (await working.catch(() => undefined)) ?? {}
      await Promise.all([
        within(config.shutdownGraceMs, housekeeping?.close()),
        worker?.close(config.drainMs),
      ])
      await server.close()
      // From here on nothing of worth is left, so nothing that hangs is waited for.
      await within(
        lastWordsMs,
        Promise.all([operations?.close(), presenton.close(), objects.close(), channels.close()]),
      )
      await within(
        lastWordsMs,
        Promise.all([listener?.close(), renewals.close(), database.close()]),
      )
    },
  }
}

const lastWordsMs = 5_000

/** Settles with the promise, or after `ms` without it. */
async function within(ms: number, promise: Promise<unknown> | undefined): Promise<void> {
  const left = new AbortController()
  await Promise.race([promise, sleep(ms, left.signal).catch(() => undefined)]).finally(() =>
    left.abort(),
  )
}

function openPresenton(config: Config, logger: Logger, metrics: ReturnType<typeof createMetrics>) {
  const { url, username, password, apiKey, appDataDir, breaker } = config.presenton
  return createPresenton({
    url,
    credentials:
      username !== undefined && password !== undefined ? { username, password } : undefined,
    apiKey,
    appDataDir,
    timeouts: {
      createMs: config.presenton.createTimeoutMs,
      prepareMs: config.presenton.prepareTimeoutMs,
      exportMs: config.presenton.exportTimeoutMs,
      stallMs: config.presenton.streamStallMs,
      streamMs: config.presenton.streamTimeoutMs,
    },
    breaker,
    logger,
    onCall: metrics.onUpstream,
  })
}
