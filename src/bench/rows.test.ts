import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../sandbox/test-database.ts'
import { insertFinished, insertFinishedLog, insertPresentations, insertQueued } from './rows.ts'

let database: TestDatabase
let client: pg.Client

beforeEach(async () => {
  database = await openTestDatabase()
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
})

afterEach(async () => {
  await client.end()
  await database.close()
})

async function count(table: string, condition = 'true'): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from gateway.${table} where ${condition}`,
  )
  return rows[0]?.count ?? Number.NaN
}

test('inserts finished presentations with leases and files, and creates all indexes again', async () => {
  const readIndexes = async () =>
    (await client.query(`select indexdef from pg_indexes where schemaname = 'gateway' order by 1`))
      .rows
  const indexes = await readIndexes()
  await insertPresentations(client, { count: 100, own: 20 })
  expect(await count('presentations')).toBe(100)
  expect(await count('presentations', `user_id = 'bench'`)).toBe(20)
  expect(await count('presentations', `status = 'failed'`)).toBe(10)
  expect([await count('leases'), await count('files')]).toEqual([100, 100])
  expect(await readIndexes()).toEqual(indexes)
})

test('inserts queued presentations with their first event', async () => {
  const ids = await insertQueued(client, 5)
  expect(new Set(ids).size).toBe(5)
  expect(await count('presentations', `status = 'queued'`)).toBe(5)
  expect([await count('events'), await count('leases', 'last_seq = 1')]).toEqual([5, 5])
})

test('inserts the log of a finished run', async () => {
  const id = '3b241101-e2bb-4255-8caf-4136c566a962'
  await insertFinishedLog(client, { id, count: 10 })
  expect(await count('events', `presentation_id = '${id}'`)).toBe(10)
  expect(await count('events', 'terminal and seq = 10')).toBe(1)
  expect(await count('leases', 'last_seq = 10')).toBe(1)
})

test('inserts finished presentations with logs', async () => {
  await insertFinished(client, { count: 3, eventsPerDeck: 7 })
  expect([await count('presentations'), await count('events')]).toEqual([3, 21])
  expect(await count('events', 'terminal')).toBe(3)
})
