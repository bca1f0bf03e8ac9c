// The whole configuration: environment variables in, one frozen object out. main.ts reads it once,
// so nothing else depends on the environment. One message names all invalid variables, without
// values, because it ends up in logs and many variables are secrets.

import { type Environment, readText, warningsOf } from './clean.ts'
import { deepFreeze } from './deep-freeze.ts'
import { errorReportConfig } from './error-reports.ts'
import { keySources } from './key-sources.ts'
import { findMakerProblems, isOfMaker, makerConfig } from './maker.ts'
import { traceConfig } from './traces.ts'
import type { Read } from './values.ts'
import { type Values, variables } from './variables.ts'
import { webhookConfig } from './webhooks.ts'

export type Config = ReturnType<typeof readConfig>

const keyVariables = ['AUTH_JWKS_URL', 'AUTH_JWT_SECRET', 'AUTH_JWT_PUBLIC_KEY'] as const

/** An administrator makes the accounts, whose passwords come from the secret. */
const accountVariables = [
  'PRESENTON_USERNAME',
  'PRESENTON_PASSWORD',
  'PRESENTON_ACCOUNT_SECRET',
] as const

/** An empty string counts as not set. @throws Error that names every invalid variable */
export function readConfig(env: Environment) {
  const problems: string[] = []
  const given: Record<string, string | undefined> = {}
  const read: Record<string, unknown> = {}
  const hasMaker = isGiven(env, 'MAKER_PORT')
  for (const [name, readValue] of Object.entries<Read<unknown>>(variables)) {
    try {
      // Without a maker its variables are ignored, even wrong ones.
      given[name] = isOfMaker(name) && !hasMaker ? void env[name] : readText(env, name)
      read[name] = readValue(given[name])
    } catch (error) {
      given[name] ??= 'invalid'
      problems.push(`${name} ${(error as Error).message}`)
    }
  }
  const isSet = (name: keyof Values) => given[name] !== undefined
  // The rest of the gateway takes any number of key sources; only this rule asks for one.
  if (keyVariables.filter(isSet).length !== 1)
    problems.push(`${keyVariables.join(', ')}: exactly one of them is required`)
  if (isSet('PRESENTON_USERNAME') !== isSet('PRESENTON_PASSWORD')) {
    problems.push('PRESENTON_USERNAME, PRESENTON_PASSWORD: must be set together')
  }
  const missing = accountVariables.filter((name) => !isSet(name))
  if (read.PRESENTON_ACCOUNTS === 'per-user' && missing.length > 0)
    problems.push(`${missing.join(', ')}: required for PRESENTON_ACCOUNTS=per-user`)
  if (problems.length === 0) problems.push(...findMakerProblems(read as Values))
  const warnings = warningsOf(env, Object.keys(variables))
  if (problems.length > 0) {
    const lines = [...problems, ...warnings].map((text) => `- ${text}`)
    throw new Error(`Invalid configuration:\n${lines.join('\n')}`)
  }
  return deepFreeze({ ...toConfig(read as Values), warnings })
}

/** Also if what is given can't be read, which is reported elsewhere. */
function isGiven(env: Environment, name: string): boolean {
  try {
    return readText(env, name) !== undefined
  } catch {
    return true
  }
}

const mib = 1024 * 1024

function toConfig(v: Values) {
  return {
    host: v.HOST,
    port: v.PORT,
    opsPort: v.OPS_PORT,
    publicUrl: v.PUBLIC_URL,
    appLink: v.APP_LINK,
    logLevel: v.LOG_LEVEL,
    trustProxy: v.TRUST_PROXY,
    corsOrigins: v.CORS_ORIGINS,
    corsHeaders: v.CORS_HEADERS,
    database: {
      url: v.DATABASE_URL,
      poolMax: v.DATABASE_POOL_MAX,
      migrateOnStart: v.MIGRATE_ON_START,
    },
    presenton: {
      url: v.PRESENTON_URL,
      /** Unused when there is an API key, which needs no login. */
      username: v.PRESENTON_USERNAME,
      password: v.PRESENTON_PASSWORD,
      apiKey: v.PRESENTON_API_KEY,
      /** The decks of new runs belong to accounts of their users. */
      hasUserAccounts: v.PRESENTON_ACCOUNTS === 'per-user',
      /** From it come the passwords of these accounts. Decks that have one need it in any case. */
      accountSecret: v.PRESENTON_ACCOUNT_SECRET,
      appDataDir: v.PRESENTON_APP_DATA_DIR,
      defaultTemplate: v.PRESENTON_DEFAULT_TEMPLATE,
      createTimeoutMs: v.CREATE_TIMEOUT_SECONDS * 1000,
      prepareTimeoutMs: v.PREPARE_TIMEOUT_SECONDS * 1000,
      exportTimeoutMs: v.EXPORT_TIMEOUT_SECONDS * 1000,
      streamStallMs: v.STREAM_STALL_SECONDS * 1000,
      streamTimeoutMs: v.STREAM_TIMEOUT_SECONDS * 1000,
      breaker: {
        errorPercent: v.BREAKER_ERROR_PERCENT,
        minCalls: v.BREAKER_MIN_CALLS,
        windowMs: v.BREAKER_WINDOW_SECONDS * 1000,
        resetMs: v.BREAKER_RESET_SECONDS * 1000,
      },
    },
    runTimeoutMs: v.RUN_TIMEOUT_SECONDS * 1000,
    objects: {
      endpoint: v.MINIO_ENDPOINT,
      publicEndpoint: v.MINIO_PUBLIC_ENDPOINT ?? v.MINIO_ENDPOINT,
      accessKey: v.MINIO_ACCESS_KEY,
      secretKey: v.MINIO_SECRET_KEY,
      bucket: v.MINIO_BUCKET,
      region: v.MINIO_REGION,
      addressing: v.S3_ADDRESSING,
      downloadLinkSeconds: v.DOWNLOAD_LINK_SECONDS,
    },
    auth: { keySources: keySources(v), issuer: v.AUTH_ISSUER, audience: v.AUTH_AUDIENCE },
    /** For requests to the internet: key sets. */
    proxies: { http: v.HTTP_PROXY, https: v.HTTPS_PROXY, none: v.NO_PROXY },
    limits: {
      maxSlides: v.MAX_SLIDES,
      maxContentChars: v.MAX_CONTENT_CHARS,
      maxFileBytes: v.MAX_FILE_MIB * mib,
      rateLimitPerMinute: v.RATE_LIMIT_PER_MINUTE,
      maxStreams: v.MAX_STREAMS,
      maxStreamsPerUser: v.MAX_STREAMS_PER_USER,
    },
    /** Whose images slides may name, over https. */
    slideImageHosts: new Set(v.SLIDE_IMAGE_HOSTS),
    /** 0 means unlimited. */
    quotas: {
      perHour: v.QUOTA_PER_HOUR,
      perDay: v.QUOTA_PER_DAY,
      total: v.QUOTA_TOTAL,
      totalSlides: v.QUOTA_TOTAL_SLIDES,
      systemPerDay: v.QUOTA_SYSTEM_PER_DAY,
      editsPerDay: v.QUOTA_EDITS_PER_DAY,
    },
    sources: {
      maxSourceBytes: v.MAX_SOURCE_MIB * mib,
      maxRequestBytes: v.MAX_REQUEST_MIB * mib,
      /** 0 means unlimited. */
      maxSources: v.MAX_SOURCES,
      maxTotalBytes: v.QUOTA_SOURCES_MIB * mib,
      /** 0 keeps sources until they are deleted. */
      retentionHours: v.SOURCES_RETENTION_HOURS,
      /** Undefined: files are not scanned. */
      scanner: v.CLAMD_HOST === undefined ? undefined : { host: v.CLAMD_HOST, port: v.CLAMD_PORT },
    },
    queue: {
      maxRunning: v.MAX_RUNNING,
      maxRunningPerUser: v.MAX_RUNNING_PER_USER,
      maxQueued: v.MAX_QUEUED,
      maxQueuedPerUser: v.MAX_QUEUED_PER_USER,
    },
    events: {
      heartbeatMs: v.SSE_HEARTBEAT_SECONDS * 1000,
      retentionHours: v.EVENTS_RETENTION_HOURS,
    },
    realtime: {
      maxWebSockets: v.MAX_WEBSOCKETS,
      maxWebSocketsPerUser: v.MAX_WEBSOCKETS_PER_USER,
      messagesPerSecond: v.WEBSOCKET_MESSAGES_PER_SECOND,
      bufferBytes: v.WEBSOCKET_BUFFER_KIB * 1024,
      /** Whether signed-in users may read the statistics. */
      hasPublicStats: v.REALTIME_STATS,
    },
    /** Whether there is an MCP server. */
    mcp: v.MCP,
    /** Whether the gateway serves its page, and where the page sends people to sign in. */
    page: { isServed: v.PAGE, loginUrl: v.AUTH_LOGIN_URL },
    webhooks: webhookConfig(v),
    /** Undefined: no traces. */
    traces: traceConfig(v),
    errorReports: errorReportConfig(v, v.MINIO_SECRET_KEY),
    /** Undefined: there is no slide maker. */
    maker: makerConfig(v),
    notificationRetentionHours: v.NOTIFICATION_RETENTION_HOURS,
    outlinesReviewHours: v.OUTLINES_REVIEW_HOURS,
    leaseMs: v.LEASE_SECONDS * 1000,
    shutdownGraceMs: v.SHUTDOWN_GRACE_SECONDS * 1000,
    drainMs: (v.DRAIN_SECONDS ?? v.SHUTDOWN_GRACE_SECONDS) * 1000,
    worker: v.WORKER,
  }
}
