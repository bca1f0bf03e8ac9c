// The ground that measures stand on: database, store, upstream, the gateway as it is built, and its
// peers, each in a process of its own. What a measure needs is opened at its first need; what it
// opened for itself ends with it.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { migrate } from '../database/migrate.ts'
import { openConfiguredObjectStore } from '../sandbox/minio.ts'
import { openPostgres } from '../sandbox/postgres.ts'
import { createSecretSigner } from '../sandbox/tokens.ts'
import type { Settings, Tempo } from './metronome.ts'
import { openNginx } from './nginx.ts'
import { type Program, script, startProgram } from './programs.ts'
import { openFilesLimit } from './usage.ts'

export type Ground = Awaited<ReturnType<typeof openGround>>

export interface GatewayOptions {
  /** Of its database; a fresh one when it is not there yet. */
  database: string
  env?: Record<string, string>
}

export async function openGround({ profileDir }: { profileDir?: string | undefined }) {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' })
  const [postgres, objects, upstream] = await Promise.all([
    openPostgres({ durable: true }),
    openConfiguredObjectStore(),
    startProgram({ args: script('./upstream.ts') }),
  ])
  const signer = createSecretSigner()
  const databases = new Map<string, string>()

  async function openDatabase(name: string): Promise<string> {
    const known = databases.get(name)
    if (known !== undefined) return known
    const url = await postgres.createDatabase(name)
    await migrate(url)
    databases.set(name, url)
    return url
  }

  /** Limits are wide, so that none of them is what is measured. Resolves once it is ready. */
  async function startGateway({ database, env = {} }: GatewayOptions): Promise<Program> {
    const program = await startProgram({
      args: ['dist/main.js'],
      profileDir,
      env: {
        ...objects.env,
        ...signer.env,
        ...wide,
        HOST: '127.0.0.1',
        PORT: '0',
        PRESENTON_URL: upstream.url,
        DATABASE_URL: await openDatabase(database),
        ...env,
      },
    })
    while (!(await fetch(`${program.url}/health/ready`)).ok)
      await new Promise((resolve) => setTimeout(resolve, 10))
    return program
  }

  async function postUpstream<T>(path: string, body: object): Promise<T> {
    const answer = await fetch(`${upstream.url}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    return (await answer.json()) as T
  }

  let peers: Promise<Program> | undefined
  async function startPeers(): Promise<Program> {
    const url = databases.get('bare') ?? (await postgres.createDatabase('bare'))
    databases.set('bare', url)
    return startProgram({
      args: script('./peers.ts'),
      env: { UPSTREAM: upstream.url, DATABASE_URL: url },
    })
  }

  return {
    objects,
    upstream: {
      pid: upstream.pid,
      url: upstream.url,
      /** Lets streams beat; resolves when all beats are written. */
      beat: (tempo: Tempo) => postUpstream<{ sentBeats: number }>('/bench/beat', tempo),
      set: (settings: Settings) => postUpstream('/bench/set', settings),
      /** Which streams are held, and when it was asked for what. */
      streams: () =>
        postUpstream<{
          open: Record<string, number>
          fileRequestsMs: number[]
          createRequestsMs: number[]
        }>('/bench/streams', {}),
    },
    openDatabase,
    startGateway,
    startPeers,
    /** One for all measures that only ask it now and then. */
    peers: () => (peers ??= startPeers()),
    startNginx: () => openNginx({ upstream: upstream.url, connections: openFilesLimit() }),
    token: (sub = 'bench') => signer.sign({ sub, expiresInSeconds: 7200 }),
    async connect(database: string): Promise<pg.Client> {
      const client = new pg.Client({ connectionString: await openDatabase(database) })
      await client.connect()
      return client
    },
    async close() {
      await (await peers)?.end()
      await upstream.end({ gently: true })
      await objects.close()
      await postgres.close()
    },
  }
}

const wide = {
  LOG_LEVEL: 'warn',
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
