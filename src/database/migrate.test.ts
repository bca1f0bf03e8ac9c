import { randomUUID } from 'node:crypto'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { openTestDatabase, type TestDatabase } from '../sandbox/test-database.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import { migrate, migrationsFolder } from './migrate.ts'

let test: TestDatabase
let proxy: TcpProxy
beforeEach(async () => {
  test = await openTestDatabase()
  proxy = await openTcpProxy({ port: Number(new URL(test.url).port) })
})
afterEach(async () => {
  proxy.resetStalled()
  await proxy.close()
  await test.close()
})

it('reports a silent server as unavailable, so that the start waits for it', async () => {
  proxy.stall({ includeNew: true })
  const failure = await migrate(proxy.through(test.url), { connectTimeoutMs: 100 }).catch(
    (error: unknown) => error,
  )
  expect(failure).toMatchObject({ message: 'timeout expired' })
  expect(isDatabaseUnavailable(failure)).toBe(true)
})

it('stops at once on abort while the server is silent', async () => {
  proxy.stall({ includeNew: true })
  const controller = new AbortController()
  const migrating = migrate(proxy.through(test.url), {
    signal: controller.signal,
    connectTimeoutMs: 600_000,
  })
  const failed = expect(migrating).rejects.toThrow('Connection terminated')
  await waitFor(() => expect(proxy.accepted).toBe(1))
  controller.abort()
  await failed
})

it('stops at once on abort while another process migrates', async () => {
  const other = new pg.Client({ connectionString: test.url })
  await other.connect()
  await other.query('select pg_advisory_lock(7260137)')
  const controller = new AbortController()
  const migrating = migrate(proxy.through(test.url), { signal: controller.signal })
  const failed = expect(migrating).rejects.toThrow()
  await waitFor(async () => {
    const { rows } = await other.query(
      `select 1 from pg_stat_activity where query like 'select pg_try_advisory_xact_lock%'`,
    )
    expect(rows).toHaveLength(1)
  })
  controller.abort()
  await failed
  await other.end()
})

it('does not connect when it is already aborted', async () => {
  await expect(migrate(proxy.through(test.url), { signal: AbortSignal.abort() })).rejects.toThrow()
  expect(proxy.accepted).toBe(0)
})

describe('a database of the first release with rows in it', () => {
  let old: TestDatabase
  let client: pg.Client
  beforeEach(async () => {
    old = await openTestDatabase({ empty: true })
    client = new pg.Client(old.url)
    await client.connect()
    const [first] = readMigrationFiles({ migrationsFolder: migrationsFolder() })
    await client.query('create schema gateway')
    for (const text of first!.sql) await client.query(text)
    await client.query(
      `create table gateway.migrations
         (id serial primary key, hash text not null, created_at bigint not null)`,
    )
    await client.query('insert into gateway.migrations (hash, created_at) values ($1, $2)', [
      first!.hash,
      first!.folderMillis,
    ])
  })
  afterEach(async () => {
    await client.end()
    await old.close()
  })

  it('gets the schema of a new database, and keeps its rows', async () => {
    await insertAsFirstRelease(client, randomUUID())
    const before = await rowsOf(client)
    await migrate(old.url)
    expect(await rowsOf(client)).toEqual(
      before.map((row) => expect.objectContaining(JSON.parse(JSON.stringify(row)))),
    )
    const fresh = new pg.Client(test.url)
    await fresh.connect()
    expect(await describeSchema(client)).toEqual(await describeSchema(fresh))
    await fresh.end()
  })

  it('still accepts the inserts of the first release after the migration', async () => {
    await migrate(old.url)
    await insertAsFirstRelease(client, randomUUID())
    const { rows } = await client.query('select purpose, kind from gateway.tickets, gateway.events')
    expect(rows).toEqual([{ purpose: 'events', kind: null }])
  })
})

/** One row in each table, with the columns that release 0.1 writes. */
async function insertAsFirstRelease(client: pg.Client, id: string) {
  const inserts: [string, unknown[]][] = [
    [
      `insert into gateway.presentations (id, user_id, title, status, run_format, template, language,
         n_slides, export_as, review_outlines, metadata, brief, outlines, turn, queued_at)
       values ($1, 'alice', null, 'queued', 'pptx', 'general', 'English', 3, 'pptx', false, '{}',
         '{"content":"A summary."}', null, 1, now())`,
      [id],
    ],
    ['insert into gateway.leases (presentation_id, last_seq) values ($1, 1)', [id]],
    [
      `insert into gateway.events (presentation_id, seq, run, terminal, data)
       values ($1, 1, 1, false, '{"type":"queued","run":1}')`,
      [id],
    ],
    [
      `insert into gateway.files
         (presentation_id, format, object_key, size_bytes, sha256, content_type)
       values ($1, 'pptx', 'key', 1, 'hash', 'type')`,
      [id],
    ],
    [
      `insert into gateway.uploads (object_key, presentation_id, lease_token, remove_after)
       values ('key', $1, $2, now() + interval '1 hour')`,
      [id, randomUUID()],
    ],
    ['insert into gateway.decks (deck_id, presentation_id) values ($2, $1)', [id, randomUUID()]],
    [
      `insert into gateway.idempotency_keys (user_id, key, fingerprint, answer)
       values ('alice', 'key', 'hash', '{"status":202,"location":"/","body":{}}')`,
      [],
    ],
    [
      `insert into gateway.ledger (presentation_id, user_id, accepted_at, slides)
       values ($1, 'alice', now(), 3)`,
      [id],
    ],
    [
      `insert into gateway.tickets (hash, user_id, presentation_id, expires_at, token_expires_at)
       values ('hash', 'alice', $1, now(), now())`,
      [id],
    ],
    [
      `insert into gateway.assets (user_id, path, presentation_id) values ('alice', '/a', $1)`,
      [id],
    ],
  ]
  for (const [text, values] of inserts) await client.query(text, values)
}

const tables = `select c.oid, c.relname from pg_class c
  where c.relnamespace = 'gateway'::regnamespace and c.relkind = 'r'`

/** The rows of all tables but the journal of migrations. */
async function rowsOf(client: pg.Client) {
  const { rows } = await client.query<{ relname: string }>(`${tables} order by relname`)
  const found: unknown[] = []
  for (const { relname } of rows.filter((table) => table.relname !== 'migrations')) {
    const { rows: inTable } = await client.query(
      `select to_json(t) as row from gateway.${relname} t`,
    )
    found.push(...inTable.map(({ row }) => ({ table: relname, ...row })))
  }
  return found
}

/** Columns, constraints, indexes and storage options, in an order of their own. */
async function describeSchema(client: pg.Client) {
  const { rows } = await client.query<{ line: string }>(
    `with tables as (${tables})
     select relname || ' column ' || attname || ' ' || format_type(atttypid, atttypmod) ||
       case when attnotnull then ' not null ' else ' ' end ||
       coalesce(pg_get_expr(adbin, adrelid), '') as line
     from tables join pg_attribute a on attrelid = tables.oid and attnum > 0 and not attisdropped
     left join pg_attrdef d on adrelid = attrelid and adnum = attnum
     union all select relname || ' constraint ' || conname || ' ' || pg_get_constraintdef(c.oid)
     from tables join pg_constraint c on conrelid = tables.oid
     union all select relname || ' index ' || pg_get_indexdef(indexrelid)
     from tables join pg_index on indrelid = tables.oid
     union all select t.relname || ' options ' || coalesce(array_to_string(c.reloptions, ','), '')
     from tables t join pg_class c on c.oid = t.oid
     order by line`,
  )
  return rows.map(({ line }) => line)
}
