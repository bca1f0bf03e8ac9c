import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'

const required = {
  DATABASE_URL: 'postgres://gateway:pw@db/gateway',
  PRESENTON_URL: 'http://presenton/',
  MINIO_ENDPOINT: 'http://minio:9000',
  MINIO_ACCESS_KEY: 'access',
  MINIO_SECRET_KEY: 'secret-key',
  AUTH_JWT_SECRET: 's'.repeat(32),
}

/** The error for the required variables and this one; '' when they are valid. */
function errorFor(name: string, value: string): string {
  try {
    readConfig({ ...required, [name]: value })
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const { AUTH_JWT_SECRET: _, ...withoutKey } = required

describe('readConfig', () => {
  it('requires six variables and has the documented defaults for all others', () => {
    expect(readConfig(required)).toEqual({
      host: '0.0.0.0',
      port: 3000,
      opsPort: undefined,
      publicUrl: undefined,
      appLink: undefined,
      logLevel: 'info',
      trustProxy: false,
      corsOrigins: [],
      corsHeaders: [],
      database: { url: 'postgres://gateway:pw@db/gateway', poolMax: 10, migrateOnStart: true },
      presenton: {
        url: 'http://presenton',
        username: undefined,
        password: undefined,
        apiKey: undefined,
        appDataDir: undefined,
        defaultTemplate: 'general',
        hasUserAccounts: false,
        createTimeoutMs: 30_000,
        prepareTimeoutMs: 180_000,
        exportTimeoutMs: 330_000,
        streamStallMs: 600_000,
        streamTimeoutMs: 1_800_000,
        breaker: { errorPercent: 50, minCalls: 5, windowMs: 300_000, resetMs: 10_000 },
      },
      runTimeoutMs: 7_200_000,
      objects: {
        endpoint: 'http://minio:9000',
        publicEndpoint: 'http://minio:9000',
        accessKey: 'access',
        secretKey: 'secret-key',
        bucket: 'presentations',
        region: 'us-east-1',
        addressing: 'path',
        downloadLinkSeconds: 900,
      },
      auth: {
        keySources: [{ kind: 'secret', secret: 's'.repeat(32) }],
        issuer: undefined,
        audience: [],
      },
      proxies: { http: undefined, https: undefined, none: [] },
      limits: {
        maxSlides: 20,
        maxContentChars: 100_000,
        maxFileBytes: 512 * 1024 * 1024,
        rateLimitPerMinute: 300,
        maxStreams: 10_000,
        maxStreamsPerUser: 20,
      },
      quotas: {
        perHour: 10,
        perDay: 50,
        total: 0,
        totalSlides: 0,
        systemPerDay: 0,
        editsPerDay: 100,
      },
      slideImageHosts: new Set(),
      sources: {
        maxSourceBytes: 25 * 1024 * 1024,
        maxRequestBytes: 250 * 1024 * 1024,
        maxSources: 200,
        maxTotalBytes: 500 * 1024 * 1024,
        retentionHours: 0,
        scanner: undefined,
      },
      queue: { maxRunning: 4, maxRunningPerUser: 2, maxQueued: 200, maxQueuedPerUser: 20 },
      events: { heartbeatMs: 15_000, retentionHours: 24 },
      realtime: {
        maxWebSockets: 10_000,
        maxWebSocketsPerUser: 20,
        messagesPerSecond: 20,
        bufferBytes: 1024 * 1024,
        hasPublicStats: false,
      },
      mcp: true,
      page: { isServed: true, loginUrl: undefined },
      maker: undefined,
      webhooks: {
        secretKey: undefined,
        allowedNetworks: [],
        retryMs: [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400].map((s) => s * 1000),
        disableMs: 432_000_000,
      },
      notificationRetentionHours: 720,
      outlinesReviewHours: 24,
      leaseMs: 15_000,
      shutdownGraceMs: 25_000,
      drainMs: 25_000,
      worker: true,
      warnings: [],
    })
  })

  it('reads fractions of the hours after which a webhook is disabled', () => {
    const { webhooks } = readConfig({ ...required, WEBHOOK_DISABLE_HOURS: '0.25' })
    expect(webhooks.disableMs).toBe(900_000)
  })

  it('is deeply frozen', () => {
    const config = readConfig(required)
    expect(
      Object.isFrozen(config) &&
        Object.isFrozen(config.presenton.breaker) &&
        Object.isFrozen(config.corsOrigins),
    ).toBe(true)
  })

  it('treats an empty variable as unset', () => {
    expect(
      readConfig({
        ...required,
        PORT: '',
        OPS_PORT: '',
        CORS_ORIGINS: '',
        WORKER: '',
        AUTH_JWKS_URL: '',
      }),
    ).toEqual(readConfig(required))
  })

  it('names every invalid variable in one message, and quotes no value', () => {
    const invalid = {
      PORT: 'plant-1',
      OPS_PORT: '65536',
      PUBLIC_URL: 'ftp://plant-2',
      APP_LINK: 'https://plant-3/',
      LOG_LEVEL: 'plant-4',
      TRUST_PROXY: 'plant-5',
      CORS_ORIGINS: 'https://ok.example,https://plant-6/path',
      DATABASE_URL: 'mysql://root:plant-7@db/x',
      MIGRATE_ON_START: 'plant-8',
      PRESENTON_URL: 'http://user:plant-9@presenton',
      PRESENTON_USERNAME: 'plant-10',
      PRESENTON_APP_DATA_DIR: 'plant-11/relative',
      CREATE_TIMEOUT_SECONDS: '0',
      MINIO_ENDPOINT: 'plant-12:9000',
      MINIO_PUBLIC_ENDPOINT: 'https://plant-13/files',
      MINIO_BUCKET: 'Plant_14',
      AUTH_JWT_SECRET: 'plant-15',
      AUTH_JWT_PUBLIC_KEY: 'plant-16',
      MAX_SLIDES: '51',
      QUOTA_PER_DAY: '-17',
      WORKER: 'yes',
    }
    let message = ''
    try {
      readConfig(invalid)
    } catch (error) {
      message = (error as Error).message
    }
    const missing = ['MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY', 'PRESENTON_PASSWORD', 'AUTH_JWKS_URL']
    for (const name of [...Object.keys(invalid), ...missing]) expect(message).toContain(name)
    expect(message).not.toMatch(/plant|65536|\b51\b|-17|yes/i)
  })

  it('asks for what accounts of users need, and names what is missing', () => {
    const accounts = { ...required, PRESENTON_ACCOUNTS: 'per-user' }
    const login = { PRESENTON_USERNAME: 'admin', PRESENTON_PASSWORD: 'correct horse' }
    const secret = 's'.repeat(32)
    const read = (more: Record<string, string>) => () => readConfig({ ...accounts, ...more })
    expect(read({})).toThrow(
      /PRESENTON_USERNAME, PRESENTON_PASSWORD, PRESENTON_ACCOUNT_SECRET: required for/,
    )
    expect(read({ ...login })).toThrow(/- PRESENTON_ACCOUNT_SECRET: required for/)
    expect(read({ ...login, PRESENTON_ACCOUNT_SECRET: 'short' })).toThrow(
      /PRESENTON_ACCOUNT_SECRET must have at least 32 bytes/,
    )
    const complete = { ...login, PRESENTON_ACCOUNT_SECRET: secret }
    expect(read(complete)().presenton.accountSecret).toBe(secret)
    expect(read(complete)().presenton.hasUserAccounts).toBe(true)
    expect(readConfig({ ...required, ...complete }).presenton.hasUserAccounts).toBe(false)
    expect(read({ ...complete, PRESENTON_ACCOUNTS: 'own' })).toThrow(/PRESENTON_ACCOUNTS must/)
  })

  it.each([
    ['PORT', '80.5'],
    ['PORT', '0x50'],
    ['MAX_SLIDES', '0'],
    ['MAX_RUNNING', '0'],
    ['LEASE_SECONDS', '99999999999'],
    ['STREAM_TIMEOUT_SECONDS', '2147484'],
    ['DOWNLOAD_LINK_SECONDS', '604801'],
    ['BREAKER_ERROR_PERCENT', '101'],
    ['MIGRATE_ON_START', 'TRUE'],
    ['MINIO_ENDPOINT', 'http://minio:9000/path'],
    ['MINIO_PUBLIC_ENDPOINT', 'https://files.example/?x=1'],
    ['MINIO_BUCKET', '10.0.0.1'],
    ['PRESENTON_URL', 'file:///etc/passwd'],
    ['PRESENTON_API_KEY', 'sk-presenton-1\nx'],
    ['CORS_ORIGINS', '*'],
    ['APP_LINK', 'https://{id}.example/'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', 'true,10.0.0.1'],
    ['AUTH_JWKS_URL', 'https://issuer.example/keys'],
  ])('rejects %s=%s', (name, value) => {
    expect(errorFor(name, value)).toContain(name)
  })

  it('accepts 0 where it means no limit or no wait', () => {
    const config = readConfig({
      ...required,
      QUOTA_PER_HOUR: '0',
      SHUTDOWN_GRACE_SECONDS: '0',
      PORT: '0',
    })
    expect([config.quotas.perHour, config.shutdownGraceMs, config.drainMs, config.port]).toEqual([
      0, 0, 0, 0,
    ])
  })

  it('reads trusted networks, hops and origins', () => {
    expect(readConfig({ ...required, TRUST_PROXY: '10.0.0.0/8, ::1' }).trustProxy).toEqual([
      '10.0.0.0/8',
      '::1',
    ])
    expect(readConfig({ ...required, TRUST_PROXY: '2' }).trustProxy).toBe(2)
    const { corsOrigins } = readConfig({
      ...required,
      CORS_ORIGINS: 'https://a.example, http://localhost:5173/,https://a.example',
    })
    expect(corsOrigins).toEqual(['https://a.example', 'http://localhost:5173'])
  })

  it('requires exactly one key source', () => {
    expect(() => readConfig(withoutKey)).toThrow('exactly one')
    const byUrl = readConfig({ ...withoutKey, AUTH_JWKS_URL: 'https://issuer.example/keys' })
    expect(byUrl.auth.keySources).toEqual([{ kind: 'jwks', url: 'https://issuer.example/keys' }])
  })

  it('accepts a public key, also with escaped line ends, but no private and no weak key', () => {
    const escaped = readConfig({
      ...withoutKey,
      AUTH_JWT_PUBLIC_KEY: publicPem.replaceAll('\n', '\\n'),
    })
    expect(escaped.auth.keySources).toEqual([{ kind: 'public-key', pem: publicPem.trim() }])
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString()
    for (const pem of [
      privatePem,
      `${publicPem}${privatePem}`,
      weak,
      publicPem.replace(/[A-Z]{4}/, '!!!!'),
    ]) {
      expect(() => readConfig({ ...withoutKey, AUTH_JWT_PUBLIC_KEY: pem })).toThrow(
        'AUTH_JWT_PUBLIC_KEY',
      )
    }
  })
})
