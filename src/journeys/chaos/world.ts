// The system of a chaos test: Postgres and the store behind TCP proxies, Presenton's stand-in, and
// three gateways as child processes that can be killed and restarted.

import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { buildIfOutdated } from '../../sandbox/built-program.ts'
import { type Environment, type SpawnedGateway, spawnGateway } from '../../sandbox/gateway.ts'
import { openObjectStore } from '../../sandbox/object-store.ts'
import { findFreePort } from '../../sandbox/ports.ts'
import { openPostgres } from '../../sandbox/postgres.ts'
import { openStandIn, type StandInOptions } from '../../sandbox/presenton/stand-in.ts'
import { openTcpProxy } from '../../sandbox/tcp-proxy.ts'
import { createSecretSigner } from '../../sandbox/tokens.ts'

const environment: Environment = {
  QUOTA_PER_HOUR: '0',
  QUOTA_PER_DAY: '0',
  QUOTA_EDITS_PER_DAY: '100000',
  MAX_QUEUED_PER_USER: '100',
  RATE_LIMIT_PER_MINUTE: '1000000',
  MAX_RUNNING: '6',
  MAX_RUNNING_PER_USER: '3',
  MAX_STREAMS_PER_USER: '1000',
  MAX_WEBSOCKETS_PER_USER: '1000',
  LEASE_SECONDS: '2',
  SSE_HEARTBEAT_SECONDS: '1',
  SHUTDOWN_GRACE_SECONDS: '3',
  DRAIN_SECONDS: '1',
  BREAKER_RESET_SECONDS: '1',
  RUN_TIMEOUT_SECONDS: '300',
  CREATE_TIMEOUT_SECONDS: '5',
  PREPARE_TIMEOUT_SECONDS: '5',
  EXPORT_TIMEOUT_SECONDS: '5',
  STREAM_STALL_SECONDS: '5',
}

export interface Replica {
  gateway: SpawnedGateway
  /** Base URL of the operators' port. */
  opsUrl: string
  /** After SIGSTOP: the process accepts connections but does not respond. */
  isPaused: boolean
}

export type ChaosWorld = Awaited<ReturnType<typeof openChaosWorld>>

export interface ChaosWorldOptions extends Pick<StandInOptions, 'shape'> {
  replicas?: number
  env?: Environment
}

export async function openChaosWorld({
  replicas: count = 3,
  env = {},
  ...upstream
}: ChaosWorldOptions = {}) {
  buildIfOutdated()
  const pace = { chunkMs: 2, chunkChars: 60, slideMs: 25, prepareMs: 30, exportMs: 30 }
  const [postgres, objects, presenton] = await Promise.all([
    openPostgres(),
    openObjectStore(),
    openStandIn({ pace, ...upstream }),
  ])
  const database = await openTcpProxy({ port: postgres.port })
  const store = await openTcpProxy({ port: Number(new URL(objects.endpoint).port) })
  const signer = createSecretSigner()
  const url = await postgres.createDatabase('chaos')
  const variables: Environment = {
    ...objects.env,
    ...signer.env,
    DATABASE_URL: database.through(url),
    PRESENTON_URL: presenton.url,
    MINIO_ENDPOINT: store.url,
    MINIO_PUBLIC_ENDPOINT: store.url,
    ...environment,
    ...env,
  }
  const replicas: (Replica | undefined)[] = Array.from({ length: count }, () => undefined)
  const replicaLogs: string[][] = []
  const opsPorts: number[] = []
  for (let index = 0; index < count; index += 1) opsPorts.push(await findFreePort())

  async function start(index: number): Promise<Replica> {
    const port = opsPorts[index]
    const gateway = await spawnGateway({ ...variables, OPS_PORT: String(port) })
    const replica = { gateway, opsUrl: `http://127.0.0.1:${port}`, isPaused: false }
    replicas[index] = replica
    replicaLogs.push(replica.gateway.logs)
    return replica
  }

  /** Connects to the server directly, not through the proxy. */
  async function query<Row extends pg.QueryResultRow>(
    sql: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query<Row>(sql, values)).rows
    } finally {
      await client.end()
    }
  }

  await start(0)
  await Promise.all(Array.from({ length: count - 1 }, (_, index) => start(index + 1)))
  return {
    postgres,
    objects,
    presenton,
    /** The proxy in front of Postgres. */
    database,
    /** The proxy in front of the object store. */
    store,
    replicas,
    start,
    query,
    sign: signer.sign,
    /** The log lines of all replicas, including those that have ended. */
    logs: () => replicaLogs.flat(),
    /** Base URLs of the running replicas, including paused ones. */
    urls: () => replicas.flatMap((replica) => (replica ? [replica.gateway.url] : [])),
    /** Those of their operators' ports. */
    opsUrls: () => replicas.flatMap((replica) => (replica ? [replica.opsUrl] : [])),
    /** Clears all faults, resumes and starts replicas, and waits until each is ready. */
    async recover() {
      presenton.faults.clear()
      for (const [index, replica] of replicas.entries()) {
        if (replica?.isPaused) await replica.gateway.kill('SIGCONT')
        if (replica) replica.isPaused = false
        else await start(index)
      }
      await Promise.all(replicas.map((replica) => replica && waitUntilReady(replica.opsUrl)))
    },
    async close() {
      await Promise.all(replicas.map((replica) => replica?.gateway.kill()))
      for (const part of [database, store, presenton, objects, postgres]) await part.close()
    },
  }
}

async function waitUntilReady(url: string) {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const response = await fetch(`${url}/health/ready`, {
      signal: AbortSignal.timeout(5_000),
    }).catch(() => undefined)
    if (response?.ok) return
    await delay(50)
  }
  throw new Error(`the gateway at ${url} did not become ready`)
}
