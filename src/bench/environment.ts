// What benchmarks run against: Postgres, an object store, an upstream, the built gateway and its
// peers, most of them in processes of their own. A benchmark stops what it has started.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { migrate } from '../database/migrate.ts'
import { openPostgres } from '../sandbox/postgres.ts'
import { openConfiguredObjectStore } from '../sandbox/real-stores.ts'
import { createSecretSigner } from '../sandbox/tokens.ts'
import type { Emission, GeneratorSettings, GeneratorState } from './event-generator.ts'
import { openNginxProxy } from './nginx-proxy.ts'
import { openFilesLimit } from './process-usage.ts'
import { type Program, scriptArguments, startProgram } from './programs.ts'

export type BenchEnvironment = Awaited<ReturnType<typeof openBenchEnvironment>>

export interface GatewayOptions {
  /** Name of its database, which is created if it does not exist. */
  database: string
  env?: Record<string, string>
}

/** `profileDir`: where gateways write a CPU profile when they stop. */
export async function openBenchEnvironment({ profileDir }: { profileDir?: string | undefined }) {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
  const [postgres, objects, upstream] = await Promise.all([
    openPostgres({ durable: true }),
    openConfiguredObjectStore(),
    startProgram({ args: scriptArguments('./upstream.ts') }),
  ])
  const signer = createSecretSigner()
  const databases = new Map<string, string>()

  /** Resolves with the URL of a migrated database. */
  async function openDatabase(name: string): Promise<string> {
    const existing = databases.get(name)
    if (existing !== undefined) return existing
    const url = await postgres.createDatabase(name)
    await migrate(url)
    databases.set(name, url)
    return url
  }

  /** Resolves once the gateway is ready. Its limits are so high that no benchmark reaches them. */
  async function startGateway({ database, env = {} }: GatewayOptions): Promise<Program> {
    const program = await startProgram({
      args: ['dist/main.js'],
      profileDir,
      env: {
        ...objects.env,
        ...signer.env,
        ...permissiveLimits,
        LOG_LEVEL: 'warn',
        HOST: '127.0.0.1',
        PORT: '0',
        PRESENTON_URL: upstream.url,
        DATABASE_URL: await openDatabase(database),
        ...env,
      },
    })
    const { OPS_PORT: opsPort } = env
    const healthUrl = opsPort === undefined ? program.url : `http://127.0.0.1:${opsPort}`
    while (!(await fetch(`${healthUrl}/health/ready`)).ok)
      await new Promise((resolve) => setTimeout(resolve, 10))
    return program
  }

  async function postUpstream<T>(path: string, body: object): Promise<T> {
    const response = await fetch(`${upstream.url}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    return (await response.json()) as T
  }

  let sharedPeers: Promise<Program> | undefined
  async function startPeers(): Promise<Program> {
    const url = databases.get('bare') ?? (await postgres.createDatabase('bare'))
    databases.set('bare', url)
    return startProgram({
      args: scriptArguments('./peers.ts'),
      env: { UPSTREAM: upstream.url, DATABASE_URL: url },
    })
  }

  return {
    objects,
    upstream: {
      pid: upstream.pid,
      url: upstream.url,
      /** Writes events to the open streams of a group. Resolves when all are written. */
      emit: (emission: Emission) => postUpstream<{ sentEvents: number }>('/bench/emit', emission),
      /** Replaces the settings. */
      configure: (settings: GeneratorSettings) => postUpstream('/bench/configure', settings),
      readState: () => postUpstream<GeneratorState>('/bench/state', {}),
    },
    openDatabase,
    startGateway,
    startPeers,
    /** Peers for all benchmarks that need them only now and then. */
    openSharedPeers: () => (sharedPeers ??= startPeers()),
    startNginx: () => openNginxProxy({ upstream: upstream.url, connections: openFilesLimit() }),
    token: (sub = 'bench') => signer.sign({ sub, expiresInSeconds: 7200 }),
    async connect(database: string): Promise<pg.Client> {
      const client = new pg.Client({ connectionString: await openDatabase(database) })
      await client.connect()
      return client
    },
    async close() {
      await (await sharedPeers)?.stop()
      await upstream.stop({ isGraceful: true })
      await objects.close()
      await postgres.close()
    },
  }
}

const permissiveLimits = {
  QUOTA_PER_HOUR: '0',
  QUOTA_PER_DAY: '0',
  MAX_QUEUED: '1000000',
  MAX_QUEUED_PER_USER: '1000000',
  MAX_RUNNING: '200',
  MAX_RUNNING_PER_USER: '200',
  MAX_STREAMS: '100000',
  MAX_STREAMS_PER_USER: '100000',
  RATE_LIMIT_PER_MINUTE: '1000000000',
}
