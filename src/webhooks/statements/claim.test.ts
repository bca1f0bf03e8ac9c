// Claims over a large outbox: who is claimed, and how many rows a claim reads for it.

import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Queryable } from '../../database/connection.ts'
import { lockAdmission } from '../../presentations/statements/insert.ts'
import { openTestDatabase, type TestDatabase } from '../../sandbox/test-database.ts'
import { claimDeliveries, countWaiting, hasDue, renewLeases } from './claim.ts'

let testDatabase: TestDatabase
let client: pg.Client
beforeAll(async () => {
  testDatabase = await openTestDatabase()
  client = new pg.Client({ connectionString: testDatabase.url })
  await client.connect()
  await client.query(`insert into gateway.webhooks (id, user_id, url, host, events, secrets)
    values ('${webhookId}', 'alice', 'https://receiver.example/', 'a:443', '{}', '[]')`)
})
beforeEach(() => client.query('truncate gateway.webhook_deliveries'))
afterAll(async () => {
  await client.end()
  await testDatabase.close()
})

const webhookId = '00000000-0000-4000-8000-000000000001'
const database: Queryable = {
  query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    (await client.query<Row>(text, values)).rows,
}

async function transaction<T>(work: (on: Queryable) => Promise<T>, first = ''): Promise<T> {
  await client.query(`begin; set local lock_timeout = '1s'; ${first}`)
  try {
    return await work(database)
  } finally {
    await client.query('commit')
  }
}

const claim = (fast: number, slow = 0) =>
  claimDeliveries({ transaction }, { leaseMs: 60_000, fast, slow })

/** `count` due deliveries to a host, the first one an hour old. */
async function insertDue(host: string, count: number, { isSlow = false, seconds = 1 } = {}) {
  await client.query(
    `insert into gateway.webhook_deliveries (webhook_id, event, body, host, is_slow, next_attempt_at)
     select $1, 'test', '{}', $2, $3, now() - interval '1 hour' + n * $5 * interval '1 second'
     from generate_series(1, $4::int) n`,
    [webhookId, host, isSlow, count, seconds],
  )
}

/** The most rows that a part of the statement has read, over all its loops. */
async function mostRows(run: (on: Queryable) => Promise<unknown>): Promise<number> {
  let most = 0
  const visit = (plan: Record<string, unknown>): void => {
    most = Math.max(most, Number(plan['Actual Rows']) * Number(plan['Actual Loops']))
    most = Math.max(most, Number(plan['Rows Removed by Filter'] ?? 0))
    for (const inner of (plan['Plans'] ?? []) as Record<string, unknown>[]) visit(inner)
  }
  await run({
    query: async (text, values) => {
      const { rows } = await client.query(`explain (analyze, format json) ${text}`, values)
      visit(rows[0]['QUERY PLAN'][0].Plan)
      return []
    },
  })
  return most
}

it('claims up to 4 of a host, 3 in the slow lane, and each once', async () => {
  await insertDue('a:443', 10)
  await insertDue('b:443', 10, { isSlow: true })
  expect((await claim(50, 50)).map(({ isSlow }) => isSlow)).toEqual([
    ...[false, false, false, false],
    ...[true, true, true],
  ])
  expect(await claim(50, 50)).toEqual([])
  // A slot of the fourth kind is left for the fast lane of the same host.
  await insertDue('b:443', 2)
  expect(await claim(50, 50)).toHaveLength(1)
})

it('takes from both ends of the fast lane', async () => {
  for (const [n, host] of ['a:1', 'b:1', 'c:1', 'd:1', 'e:1'].entries())
    await insertDue(host, 1, { seconds: n })
  const hostsOf = async (limit: number) => {
    const ids = (await claim(limit)).map(({ id }) => id)
    const { rows } = await client.query(
      'select host from gateway.webhook_deliveries where id = any($1) order by host',
      [ids],
    )
    return rows.map(({ host }) => host)
  }
  expect(await hostsOf(2)).toEqual(['a:1', 'e:1'])
  expect(await hostsOf(2)).toEqual(['b:1', 'd:1'])
})

it('waits for no admission of briefs', async () => {
  const admission = new pg.Client({ connectionString: testDatabase.url })
  await admission.connect()
  await admission.query(`begin; ${lockAdmission}`)
  await insertDue('a:443', 1)
  const claimed = await claim(50).finally(() => admission.end())
  expect(claimed).toHaveLength(1)
})

it('claims nothing before it is due, and claims again what a dead replica held', async () => {
  await insertDue('a:443', 1, { seconds: 7_200 })
  expect(await hasDue(database)).toBe(false)
  expect(await claim(50)).toEqual([])
  await insertDue('a:443', 1)
  const [first] = await claim(50)
  expect(await hasDue(database)).toBe(false)
  const held = new Map([[first!.id, first!.token]])
  expect(await renewLeases(database, held, 60_000)).toEqual(new Set([first!.id]))
  await client.query(
    `update gateway.webhook_deliveries set lease_expires_at = now() - interval '1 ms'
     where lease_token is not null`,
  )
  expect(await hasDue(database)).toBe(true)
  const [second] = await claim(50)
  expect(second).toMatchObject({ id: first!.id })
  expect(second!.token).not.toBe(first!.token)
  expect(await renewLeases(database, held, 60_000)).toEqual(new Set())
})

it('does not read the deliveries of hosts that have all their slots in use', async () => {
  await insertDue('a:443', 20_000)
  await insertDue('dead:443', 20_000, { isSlow: true })
  await client.query('analyze gateway.webhook_deliveries')
  expect(await claim(50, 50)).toHaveLength(7)
  await insertDue('z:443', 2)
  const rows = await mostRows((explained) =>
    claimDeliveries({ transaction: (work) => work(explained) }, { leaseMs: 1, fast: 50, slow: 50 }),
  )
  expect(rows).toBeLessThan(50)
  expect(await mostRows((explained) => countWaiting(explained, 50))).toBeLessThan(50)
  expect(await mostRows((explained) => hasDue(explained))).toBeLessThan(50)
})
