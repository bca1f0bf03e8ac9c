import pg from 'pg'
import { expect, test } from 'vitest'
import { openTestDatabase } from './test-database.ts'

async function listTables(url: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(
    `select tablename from pg_tables where schemaname = 'gateway'`,
  )
  await client.end()
  return rows.map((row: { tablename: string }) => row.tablename)
}

test('gives each caller a migrated database of its own', async () => {
  const [first, second] = await Promise.all([openTestDatabase(), openTestDatabase()])
  try {
    expect(first.url).not.toBe(second.url)
    expect(await listTables(first.url)).toContain('presentations')
    expect(await listTables(second.url)).toContain('presentations')
  } finally {
    await Promise.all([first.close(), second.close()])
  }
})

test('creates no tables in an empty database', async () => {
  const database = await openTestDatabase({ empty: true })
  try {
    expect(await listTables(database.url)).toEqual([])
  } finally {
    await database.close()
  }
})

test('drops the database while a connection is open', async () => {
  const database = await openTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  const disconnected = new Promise<Error>((resolve) => client.on('error', resolve))
  await client.connect()
  await database.close()
  expect(await disconnected).toBeInstanceOf(Error)
})
