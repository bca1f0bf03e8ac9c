// A worker on real Postgres whose answers are lost, whose hints never come, and which is not alone:
// what it takes, keeps and leaves.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createChannels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { createEndRun } from '../database/end-run.ts'
import { Problem } from '../domain/problem.ts'
import { createObjectStore } from '../objects/store.ts'
import { createPresenton, type Presenton } from '../presenton/client.ts'
import { openStandIn, type StandIn } from '../sandbox/presenton/stand-in.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createLogger } from '../telemetry/logging.ts'
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
  // No run gets further than this: what comes after it is not what this is about.
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

interface Around {
  /** Stands between the worker and its database. */
  database?: Partial<Pick<Database, 'query' | 'transaction'>>
  renewals?: Pick<Database, 'query'>
  timing?: RetryTiming
}

/** It gets no hint but those that the test gives. */
function open({ database = {}, renewals = rows.database, timing = {} }: Around = {}) {
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

const away = () => new Problem('DATABASE_UNAVAILABLE')
const isClaim = (text: string) => text.includes('abandoned')
const takeoversOf = async (id: string) =>
  (
    await rows.database.query<{ takeovers: number }>(
      'select takeovers from gateway.presentations where id = $1',
      [id],
    )
  )[0]?.takeovers

it('has the run whose claim went through, though nobody told it: at its next claim, and not as one that crashed', async () => {
  let lost = false
  open({
    database: {
      async transaction(work, first) {
        const result = await rows.database.transaction(work, first)
        if (lost || !result) return result
        lost = true
        throw away()
      },
    },
  })
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  expect(lost).toBe(true)
  expect(await takeoversOf(id)).toBe(0)
})

it('leaves runs whose lease ran out to their holders right after an outage, and takes them when they stay silent', async () => {
  const id = await rows.insert()
  await rows.database.query(
    `with begun as (update gateway.presentations set status = 'running', run_started_at = now() where id = $1)
     update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
    [id],
  )
  let isOut = true
  const takeovers: unknown[] = []
  open({
    database: {
      async query(text, values) {
        if (!isOut) return rows.database.query(text, values)
        isOut = false
        throw away()
      },
      transaction: (work, first) =>
        rows.database.transaction(async (client) => {
          let claims = false
          const result = await work({
            ...client,
            query: (async (text: string, values: unknown[]) => {
              claims ||= isClaim(text)
              return client.query(text, values)
            }) as typeof client.query,
          })
          if (claims) takeovers.push(result === undefined ? 'none' : 'taken')
          return result
        }, first),
    },
  })
  await upstream.gates.arrived('create')
  expect(takeovers[0]).toBe('none')
  expect(takeovers.at(-1)).toBe('taken')
  expect(await takeoversOf(id)).toBe(1)
})

it('leaves upstream when its run was taken from it, though the hint of that was lost', async () => {
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
  // Long before a third of the lease.
  await vi.waitFor(() => expect(upstream.openRequests).toBe(0), 8_000)
})

it('has a deck removed that was made for a run it had lost by then', async () => {
  let isDeaf = false
  open({
    renewals: {
      query: (text, values) =>
        isDeaf ? new Promise(() => undefined) : rows.database.query(text, values),
    },
  })
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  // It hears of its loss from its own write, after the deck was made.
  isDeaf = true
  await rows.database.query(
    'update gateway.leases set token = gen_random_uuid() where presentation_id = $1',
    [id],
  )
  upstream.gates.release('create')
  await vi.waitFor(async () => {
    const due = await rows.database.query(
      `select deck_id, presentation_id from gateway.decks where remove_after <= now() and presentation_id = $1`,
      [id],
    )
    expect(due).toEqual([{ deck_id: [...upstream.decks.keys()][0], presentation_id: id }])
  }, 10_000)
})

it.each(['create:500', 'create:503'] as const)(
  'begins nothing after a pause without a look whether the run is still its own: not after %s',
  async (fault) => {
    let isDeaf = false
    let wake: (() => void) | undefined
    const calls = () => upstream.journal.filter(({ operation }) => operation === 'create').length
    open({
      timing: { sleep: () => new Promise((resolve) => (wake = resolve)) },
      renewals: {
        query: (text, values) =>
          isDeaf ? new Promise(() => undefined) : rows.database.query(text, values),
      },
      database: {
        async query(text, values) {
          // Slow, so that whoever does not wait for the answer is seen.
          if (isDeaf && text.includes('fence'))
            await vi.waitFor(() => expect(calls()).toBe(2), 500).catch(() => undefined)
          return rows.database.query(text, values)
        },
      },
    })
    upstream.faults.inject(fault)
    upstream.gates.release('create')
    const id = await rows.insert()
    await vi.waitFor(() => expect(wake).toBeDefined(), 10_000)
    isDeaf = true
    await rows.database.query(
      'update gateway.leases set token = gen_random_uuid() where presentation_id = $1',
      [id],
    )
    wake?.()
    const hasLeft = () => logLines.some((line) => line.includes(id) && line.includes('run left'))
    await vi.waitFor(() => expect(hasLeft()).toBe(true), 10_000)
    expect(calls()).toBe(1)
  },
)

it('looks at its leases at once when it hears that one of its runs was taken from it, and not for those of others', async () => {
  let renewed = 0
  let answered = 0
  const channels = open({
    renewals: {
      query: (text, values) => {
        renewed += 1
        return rows.database.query<never>(text, values).finally(() => (answered += 1))
      },
    },
  })
  const id = await rows.insert()
  await upstream.gates.arrived('create')
  // Between two of its own looks, none of which is under way.
  do await new Promise(setImmediate)
  while (renewed === 0 || renewed !== answered)
  const before = renewed
  channels.publish('revoked', { id: crypto.randomUUID() })
  expect(renewed).toBe(before)
  channels.publish('revoked', { id })
  expect(renewed).toBe(before + 1)
})

it('ends though the database has stopped answering: what it holds then runs out by itself', async () => {
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
  // It is asked for work now, and waits for the answer.
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

it('hands back what it holds though the database is away just then: nobody has to wait for the lease to run out', async () => {
  let refusals = 0
  open({
    renewals: {
      query(text, values) {
        if (!text.startsWith('update "gateway"."leases"') || refusals === 2)
          return rows.database.query(text, values)
        refusals += 1
        return Promise.reject(away())
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
