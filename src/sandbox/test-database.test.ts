import pg from 'pg'
import { expect, test } from 'vitest'
import { openTestDatabase } from './test-database.ts'

async function tables(url: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(
    `select tablename from pg_tables where schemaname = 'gateway'`,
  )
  await client.end()
  return rows.map((row: { tablename: string }) => row.tablename)
}

test('each test database is a migrated one of its own', async () => {
  const [first, second] = await Promise.all([openTestDatabase(), openTestDatabase()])
  try {
    expect(first.url).not.toBe(second.url)
    expect(await tables(first.url)).toContain('presentations')
    expect(await tables(second.url)).toContain('presentations')
  } finally {
    await Promise.all([first.close(), second.close()])
  }
})

test('an empty test database has no table of the gateway', async () => {
  const database = await openTestDatabase({ empty: true })
  try {
    expect(await tables(database.url)).toEqual([])
  } finally {
    await database.close()
  }
})

test('a test database is dropped also while a connection is open', async () => {
  const database = await openTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  const cut = new Promise<Error>((resolve) => client.on('error', resolve))
  await client.connect()
  await database.close()
  expect(await cut).toBeInstanceOf(Error)
})
