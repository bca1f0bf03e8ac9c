// The whole world of a journey: a cloned database, an object store, a stand-in for Presenton, and
// gateways on sockets of their own; and the proof, after each journey, that nothing of it was left
// behind. Journeys know the gateway by what it answers, and nothing else.

import pg from 'pg'
import { expect, vi } from 'vitest'
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
import { openTestDatabase } from '../sandbox/test-database.ts'
import { type Claims, createSecretSigner, type Sign } from '../sandbox/tokens.ts'
import { createUser } from './user.ts'

export interface WorldOptions
  extends Pick<StandInOptions, 'shape' | 'pace' | 'replay' | 'credentials' | 'apiKeys'> {
  /** Variables of every gateway, above the defaults of a journey. */
  env?: Environment
  /** Another database than a fresh clone of the migrated template. */
  database?: { url: string; close(): Promise<unknown> }
  /** How many gateways there are from the beginning, all in this process. */
  replicas?: number
  /** How every gateway waits between attempts; as in real life without. */
  waits?: GatewayOptions['waits']
}

export interface UserOptions extends Claims {
  /** Another signer than that of the world's own gateways. */
  sign?: Sign
}

export type World = Awaited<ReturnType<typeof openWorld>>

/** What no journey is about unless it says so: how much one user may ask for. */
const generous: Environment = {
  QUOTA_PER_HOUR: '0',
  QUOTA_PER_DAY: '0',
  MAX_QUEUED_PER_USER: '200',
  RATE_LIMIT_PER_MINUTE: '100000',
  MAX_STREAMS_PER_USER: '1000',
  DRAIN_SECONDS: '0',
}

export async function openWorld({
  env = {},
  replicas = 1,
  waits,
  database: given,
  ...upstream
}: WorldOptions = {}) {
  const closing: (() => Promise<unknown>)[] = []
  function opened<T extends { close(): Promise<unknown> }>(part: T): T {
    closing.unshift(() => part.close())
    return part
  }

  const [database, objects, presenton] = await Promise.all([
    given ?? openTestDatabase(),
    openObjectStore(),
    openStandIn(upstream),
  ])
  for (const part of [database, objects, presenton]) opened(part)
  const pool = new pg.Pool({ connectionString: database.url, max: 2 })
  // A journey may take its database away.
  pool.on('error', () => undefined)
  closing.unshift(() => pool.end())
  const signer = createSecretSigner()
  const variables: Environment = {
    ...{ DATABASE_URL: database.url, PRESENTON_URL: presenton.url, ...objects.env, ...signer.env },
    ...generous,
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
  let users = 0

  async function openReplica(
    more: Environment = {},
    options: GatewayOptions = {},
  ): Promise<Gateway> {
    const gateway = await openGateway({ ...variables, ...more }, { waits, ...options })
    gateways.push(gateway)
    return gateway
  }

  async function query<Row extends pg.QueryResultRow>(
    sql: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    return (await pool.query<Row>(sql, values)).rows
  }

  /** What is held or under way: all noughts when nothing leaks. */
  async function leftovers() {
    const [rows] = await query<{ running: string; leased: string }>(
      `select count(*) filter (where p.status = 'running') as running, count(*) filter (where l.token is not null) as leased
       from gateway.leases l left join gateway.presentations p on p.id = l.presentation_id`,
    )
    const streams = await Promise.all(
      gateways.map(({ url }) => metric(url, 'gateway_open_streams')),
    )
    return {
      openStreams: streams.reduce((sum, open) => sum + open, 0),
      runningRuns: Number(rows?.running),
      heldLeases: Number(rows?.leased),
      upstreamRequests: presenton.openRequests,
    }
  }

  const world = {
    ...{ presenton, objects, database, variables, gateways, query, openReplica, leftovers },
    /** Of the first gateway. */
    get url() {
      const [first] = gateways
      if (!first) throw new Error('no gateway')
      return first.url
    },
    sign: signer.sign,
    /** A user of this journey alone: the name is only for people. */
    async user(
      name = 'user',
      { sub = `${name}-${++users}`, sign = signer.sign, ...claims }: UserOptions = {},
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
    /** A gateway in a process of its own, to be killed. */
    async spawnReplica(more: Environment = {}): Promise<SpawnedGateway> {
      const replica = await spawnGateway({ ...variables, ...more })
      spawned.push(replica)
      closing.unshift(() => replica.kill())
      return replica
    },
    async closeReplica(gateway: Gateway) {
      gateways.splice(gateways.indexOf(gateway), 1)
      await gateway.close()
    },
    async closeReplicas() {
      for (const gateway of gateways.splice(0)) await gateway.close()
    },
    /**
     * After each journey: all readers leave, and soon nothing is open, running or held any more.
     */
    async expectNothingLeft() {
      for (const reader of readers) reader.close()
      readers.clear()
      presenton.gates.releaseAll()
      presenton.faults.clear()
      const nothing = { openStreams: 0, runningRuns: 0, heldLeases: 0, upstreamRequests: 0 }
      await vi.waitFor(async () => expect(await leftovers()).toEqual(nothing), {
        timeout: 10_000,
        interval: 20,
      })
    },
    /** Closes everything; then no log line may hold a secret. */
    async close() {
      for (const reader of readers) reader.close()
      presenton.gates.releaseAll()
      const logs = [...gateways, ...spawned].flatMap((gateway) => gateway.logs)
      for (const gateway of gateways.splice(0)) await gateway.close()
      for (const close of closing) await close()
      const told = logs.filter((line) => secrets.some((secret) => line.includes(secret)))
      expect(told, 'log lines with secrets').toEqual([])
    },
  }

  try {
    await Promise.all(Array.from({ length: replicas }, () => openReplica()))
  } catch (error) {
    for (const close of closing) await close()
    throw error
  }
  return world
}

/** One value of /metrics. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text
    .split('\n')
    .find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`))
  if (line === undefined) throw new Error(`no metric ${name}`)
  return Number(line.slice(line.lastIndexOf(' ') + 1))
}
