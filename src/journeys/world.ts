// Everything that a journey (black-box test) runs against: a cloned database, an object store,
// Presenton's stand-in, and gateways on real sockets. After each journey it checks for leaks.

import pg from 'pg'
import { expect } from 'vitest'
import {
  type Environment,
  type Gateway,
  type GatewayOptions,
  openGateway,
  type SpawnedGateway,
  spawnGateway,
} from '../sandbox/gateway.ts'
import { openObjectStore } from '../sandbox/object-store.ts'
import { openStandIn, type StandInOptions } from '../sandbox/presenton/stand-in.ts'
import type { Reader } from '../sandbox/reader.ts'
import { openRecordingTracer } from '../sandbox/recorded-traces.ts'
import { openTestDatabase } from '../sandbox/test-database.ts'
import { type Claims, createSecretSigner, type Sign } from '../sandbox/tokens.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { areSpansChecked, createSpanCheck } from './known-spans.ts'
import { createUser } from './user.ts'

export interface WorldOptions
  extends Pick<
    StandInOptions,
    'shape' | 'pace' | 'replay' | 'credentials' | 'apiKeys' | 'loginLimit' | 'cookie'
  > {
  /** Environment of every gateway; overrides the defaults below. */
  env?: Environment
  /** Default: a fresh clone of the migrated template. */
  database?: { url: string; close(): Promise<unknown> }
  /** Number of gateways to start, all in this process. Default 1. */
  replicas?: number
  /** Timing between attempts, for every gateway. Default: that of production. */
  timing?: GatewayOptions['timing']
}

export interface UserOptions extends Claims {
  /** Default: the signer whose tokens the gateways accept. */
  sign?: Sign
}

export type World = Awaited<ReturnType<typeof openWorld>>

/** High enough that a journey meets no limit unless it sets one. */
const highLimits: Environment = {
  QUOTA_PER_HOUR: '0',
  QUOTA_PER_DAY: '0',
  MAX_QUEUED_PER_USER: '200',
  RATE_LIMIT_PER_MINUTE: '100000',
  MAX_STREAMS_PER_USER: '1000',
  DRAIN_SECONDS: '0',
}

/** Node's warnings of this process that too many listeners wait for the end of a response. */
const listenerWarnings: string[] = []
process.on('warning', ({ message }) => {
  if (message.includes('listeners added to [LingeringResponse]')) listenerWarnings.push(message)
})

export async function openWorld({
  env = {},
  replicas = 1,
  timing,
  database: ownDatabase,
  ...upstream
}: WorldOptions = {}) {
  /** Called by `close`, last opened first. */
  const closers: (() => Promise<unknown>)[] = []

  const [database, objects, presenton] = await Promise.all([
    ownDatabase ?? openTestDatabase(),
    openObjectStore(),
    openStandIn(upstream),
  ])
  for (const part of [database, objects, presenton]) closers.unshift(() => part.close())
  const pool = new pg.Pool({ connectionString: database.url, max: 2 })
  // A journey may shut its database down, which breaks idle connections.
  pool.on('error', () => undefined)
  closers.unshift(() => pool.end())
  const signer = createSecretSigner()
  const variables: Environment = {
    ...objects.env,
    ...signer.env,
    DATABASE_URL: database.url,
    PRESENTON_URL: presenton.url,
    ...highLimits,
    ...env,
  }

  const gateways: Gateway[] = []
  const spawned: SpawnedGateway[] = []
  const readers = new Set<Reader>()
  const secrets = [
    signer.secret,
    objects.secretKey,
    new URL(database.url).password,
    'X-Amz-Signature',
  ]
  const spans = createSpanCheck(secrets)
  let userCount = 0

  async function openReplica(
    overrides: Environment = {},
    options: GatewayOptions = {},
  ): Promise<Gateway> {
    const tracer = areSpansChecked ? await openRecordingTracer(spans.take) : undefined
    const gateway = await openGateway(
      { ...variables, ...overrides },
      { timing, tracer, ...options },
    )
    gateways.push(gateway)
    return gateway
  }

  async function query<Row extends pg.QueryResultRow>(
    sql: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    return (await pool.query<Row>(sql, values)).rows
  }

  /** All counts are 0 when nothing leaks. */
  async function countOpenResources() {
    const [rows] = await query<{ running: string; leased: string }>(
      `select count(*) filter (where p.status = 'running') as running, count(*) filter (where l.token is not null) as leased
       from gateway.leases l left join gateway.presentations p on p.id = l.presentation_id`,
    )
    const streams = await Promise.all(
      gateways.map(({ url }) => readMetric(url, 'gateway_open_streams')),
    )
    return {
      openStreams: streams.reduce((sum, open) => sum + open, 0),
      runningRuns: Number(rows?.running),
      heldLeases: Number(rows?.leased),
      upstreamRequests: presenton.openRequests,
    }
  }

  /** The requests that upstream got while `act` ran. */
  async function requestsDuring(act: () => Promise<unknown>) {
    const before = presenton.journal.length
    await act()
    return presenton.journal.slice(before)
  }

  const world = {
    presenton,
    objects,
    database,
    variables,
    gateways,
    query,
    openReplica,
    countOpenResources,
    requestsDuring,
    /** The same, each as its method and path. */
    upstreamDuring: async (act: () => Promise<unknown>) =>
      (await requestsDuring(act)).map(({ method, path }) => `${method} ${path}`),
    /** Base URL of the first gateway. */
    get url() {
      const [first] = gateways
      if (!first) throw new Error('the world has no gateway')
      return first.url
    },
    sign: signer.sign,
    /** A new user with a subject of their own; `name` only makes it readable. */
    async createUser(
      name = 'user',
      { sub = `${name}-${++userCount}`, sign = signer.sign, ...claims }: UserOptions = {},
    ) {
      const token = await sign({ sub, ...claims })
      secrets.push(token)
      return createUser({
        sub,
        token,
        url: () => world.url,
        onReader: (reader) => readers.add(reader),
      })
    },
    /** A gateway in a child process, which can be killed. */
    async spawnReplica(overrides: Environment = {}): Promise<SpawnedGateway> {
      const replica = await spawnGateway({ ...variables, ...overrides })
      spawned.push(replica)
      closers.unshift(() => replica.kill())
      return replica
    },
    async closeReplica(gateway: Gateway) {
      gateways.splice(gateways.indexOf(gateway), 1)
      await gateway.close()
    },
    async closeReplicas() {
      for (const gateway of gateways.splice(0)) await gateway.close()
    },
    /** Disconnects all readers, then expects every count of open resources to reach 0. */
    async expectNoLeaks() {
      for (const reader of readers) reader.close()
      readers.clear()
      presenton.gates.releaseAll()
      presenton.faults.clear()
      const none = { openStreams: 0, runningRuns: 0, heldLeases: 0, upstreamRequests: 0 }
      await waitFor(async () => expect(await countOpenResources()).toEqual(none))
    },
    /** Closes everything, then expects no secret in the gateways' log lines and spans. */
    async close() {
      for (const reader of readers) reader.close()
      presenton.gates.releaseAll()
      const logs = [...gateways, ...spawned].flatMap((gateway) => gateway.logs)
      for (const gateway of gateways.splice(0)) await gateway.close()
      for (const close of closers) await close()
      const leaking = logs.filter((line) => secrets.some((secret) => line.includes(secret)))
      expect(leaking, 'log lines with secrets').toEqual([])
      expect(listenerWarnings.splice(0)).toEqual([])
      spans.expectOnlyKnown()
    },
  }

  try {
    await Promise.all(Array.from({ length: replicas }, () => openReplica()))
  } catch (error) {
    for (const close of closers) await close()
    throw error
  }
  return world
}

/** The first sample of this name on /metrics, with or without labels. */
export async function readMetric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text
    .split('\n')
    .find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`))
  if (line === undefined) throw new Error(`/metrics has no sample of ${name}`)
  return Number(line.slice(line.lastIndexOf(' ') + 1))
}
