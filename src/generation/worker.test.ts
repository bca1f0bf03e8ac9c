// A worker on real Postgres with lost responses, missing hints and other workers: which runs it
// claims, keeps and releases.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { createChannels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { createEndRun } from '../database/end-run.ts'
import { Problem } from '../domain/problem.ts'
import { createObjectStore } from '../objects/store.ts'
import { createPresenton, type Presenton } from '../presenton/client.ts'
import { openStandIn, type StandIn } from '../sandbox/presenton/stand-in.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { createLogger } from '../telemetry/logging.ts'
import { createTroubles } from '../telemetry/troubles.ts'
import type { RetryTiming } from './context.ts'
import { openWorker, type Worker } from './worker.ts'

const logLines: string[] = []
const logger = createLogger({ logLevel: 'info' }, { write: (line) => void logLines.push(line) })
const slots = { maxRunning: 10, maxRunningPerUser: 10, leaseMs: 60_000 }

let rows: TestRows
let upstream: StandIn
let presenton: Presenton
let worker: Worker | undefined
beforeAll(async () => {
  rows = await openTestRows()
})
afterAll(() => rows.close())
beforeEach(async () => {
  await rows.database.query('delete from gateway.presentations')
  upstream = await openStandIn()
  // These tests need no run to get beyond its first stage.
  upstream.gates.hold('create')
  presenton = createPresenton({
    url: upstream.url,
    timeouts: {
      createMs: 60_000,
      prepareMs: 60_000,
      exportMs: 60_000,
      stallMs: 60_000,
      streamMs: 60_000,
    },
    breaker: { errorPercent: 50, minCalls: 5, windowMs: 300_000, resetMs: 10_000 },
    logger,
  })
})
afterEach(async () => {
  await worker?.close(0)
  worker = undefined
  await presenton.close()
  await upstream.close()
})

interface WorkerOverrides {
  /** Replaces methods of the worker's database. */
  database?: Partial<Pick<Database, 'query' | 'transaction'>>
  renewals?: Pick<Database, 'query'>
  timing?: RetryTiming
}

/** Opens the worker. It gets only the hints that the test publishes on the returned channels. */
function open({ database = {}, renewals = rows.database, timing = {} }: WorkerOverrides = {}) {
  const access = {
    endpoint: 'http://127.0.0.1:1',
    region: 'us-east-1',
    accessKey: 'a',
    secretKey: 's',
  }
  const channels = createChannels(undefined)
  worker = openWorker({
    dependencies: {
      database: { ...rows.database, ...database },
      presenton,
      objects: createObjectStore({
        ...access,
        publicEndpoint: access.endpoint,
        bucket: 'b',
        logger,
      }),
      endRun: createEndRun(),
      troubles: createTroubles({ logger }),
      defaultTemplate: 'general',
      logger,
      timing,
      limits: {
        runTimeoutMs: 600_000,
        maxFileBytes: 1,
        downloadLinkSeconds: 900,
        outlinesReviewHours: 24,
      },
    },
    renewals,
    channels,
    slots,
  })
  return channels
}

const unavailable = () => new Problem('DATABASE_UNAVAILABLE')
const isClaim = (text: string) => text.includes('abandoned')
const takeoversOf = async (id: string) =>
  (
    await rows.database.query<{ takeovers: number }>(
      'select takeovers from gateway.presentations where id = $1',
      [id],
    )
  )[0]?.takeovers

it('gets a run whose claim response was lost at its next claim, without a takeover', async () => {
  let lost = false
  open({
    database: {
      async transaction(work, first) {
        const result = await rows.database.transaction(work, first)
        if (lost || !result) return result
        lost = true
        throw unavailable()
      },
    },
  })
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  expect(lost).toBe(true)
  expect(await takeoversOf(id)).toBe(0)
})

it('does not claim expired leases right after an outage, but claims them when they stay expired', async () => {
  const id = await rows.insert()
  await rows.database.query(
    `with begun as (update gateway.presentations set status = 'running', run_started_at = now() where id = $1)
     update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
    [id],
  )
  let isFirstQuery = true
  const takeovers: unknown[] = []
  open({
    database: {
      async query(text, values) {
        if (!isFirstQuery) return rows.database.query(text, values)
        isFirstQuery = false
        throw unavailable()
      },
      transaction: (work, first) =>
        rows.database.transaction(async (client) => {
          let isClaiming = false
          const result = await work({
            ...client,
            query: (async (text: string, values: unknown[]) => {
              isClaiming ||= isClaim(text)
              return client.query(text, values)
            }) as typeof client.query,
          })
          if (isClaiming) takeovers.push(result === undefined ? 'none' : 'taken')
          return result
        }, first),
    },
  })
  await upstream.gates.arrived('create')
  expect(takeovers[0]).toBe('none')
  expect(takeovers.at(-1)).toBe('taken')
  expect(await takeoversOf(id)).toBe(1)
})

it('aborts its upstream request after it lost its lease, even without a hint', async () => {
  open()
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  await rows.database.query(
    'update gateway.leases set token = null, expires_at = null where presentation_id = $1',
    [id],
  )
  await rows.database.query(`update gateway.presentations set status = 'cancelled' where id = $1`, [
    id,
  ])
  // Well before the next renewal, which comes after a third of the lease.
  await waitFor(() => expect(upstream.openRequests).toBe(0))
})

it('schedules the removal of a deck that it created after it had lost the run', async () => {
  // No renewal is answered, so the worker notices the loss at its write after the deck exists. One
  // that is under way during the update would notice it before.
  open({ renewals: { query: () => new Promise(() => undefined) } })
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  await rows.database.query(
    'update gateway.leases set token = gen_random_uuid() where presentation_id = $1',
    [id],
  )
  upstream.gates.release('create')
  await waitFor(async () => {
    const due = await rows.database.query(
      `select deck_id, presentation_id from gateway.decks where remove_after <= now() and presentation_id = $1`,
      [id],
    )
    expect(due).toEqual([{ deck_id: [...upstream.decks.keys()][0], presentation_id: id }])
  })
})

it.each(['create:500', 'create:503'] as const)(
  'checks its lease after a backoff before it calls upstream again, after %s',
  async (fault) => {
    let isRenewalHanging = false
    let wake: (() => void) | undefined
    const calls = () => upstream.journal.filter(({ operation }) => operation === 'create').length
    open({
      timing: { sleep: () => new Promise((resolve) => (wake = resolve)) },
      renewals: {
        query: (text, values) =>
          isRenewalHanging ? new Promise(() => undefined) : rows.database.query(text, values),
      },
      database: {
        async query(text, values) {
          // A delayed check exposes a worker that does not wait for its result.
          if (isRenewalHanging && text.includes('fence'))
            await waitFor(() => expect(calls()).toBe(2), { timeout: 500 }).catch(() => undefined)
          return rows.database.query(text, values)
        },
      },
    })
    upstream.faults.inject(fault)
    upstream.gates.release('create')
    const id = await rows.insert()
    await waitFor(() => expect(wake).toBeDefined())
    isRenewalHanging = true
    await rows.database.query(
      'update gateway.leases set token = gen_random_uuid() where presentation_id = $1',
      [id],
    )
    wake?.()
    const hasLeft = () => logLines.some((line) => line.includes(id) && line.includes('run left'))
    await waitFor(() => expect(hasLeft()).toBe(true))
    expect(calls()).toBe(1)
  },
)

it('checks its leases at once after a hint about one of its own runs only', async () => {
  let started = 0
  let finished = 0
  const channels = open({
    renewals: {
      query: (text, values) => {
        started += 1
        return rows.database.query<never>(text, values).finally(() => (finished += 1))
      },
    },
  })
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  // Waits for a moment without a running renewal.
  do await new Promise(setImmediate)
  while (started === 0 || started !== finished)
  const before = started
  channels.publish('revoked', { id: crypto.randomUUID() })
  expect(started).toBe(before)
  channels.publish('revoked', { id })
  expect(started).toBe(before + 1)
})

it('closes while the database is silent, and keeps its leases until they expire', async () => {
  let isSilent = false
  const never = new Promise<never>(() => undefined)
  const query: Database['query'] = (text, values) =>
    isSilent ? never : rows.database.query(text, values)
  const channels = open({
    database: {
      query,
      transaction: (work, first) => (isSilent ? never : rows.database.transaction(work, first)),
    },
    renewals: { query },
  })
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  isSilent = true
  // The worker tries to claim now, and its statement hangs.
  channels.publish('queue', {})
  await worker?.close(0)
  worker = undefined
  upstream.gates.release('create')
  const [lease] = await rows.database.query(
    'select token from gateway.leases where presentation_id = $1',
    [id],
  )
  expect(lease?.token).not.toBeNull()
})

it('releases its leases on close in spite of a short database outage', async () => {
  let refusals = 0
  open({
    renewals: {
      query(text, values) {
        if (!text.startsWith('update "gateway"."leases"') || refusals === 2)
          return rows.database.query(text, values)
        refusals += 1
        return Promise.reject(unavailable())
      },
    },
  })
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  await worker?.close(0)
  worker = undefined
  expect(refusals).toBe(2)
  expect(
    await rows.database.query('select token from gateway.leases where presentation_id = $1', [id]),
  ).toEqual([{ token: null }])
})
