// Applies drizzle/ to the database, once, whoever else is doing the same: under an advisory lock,
// journal in schema gateway. Not drizzle's own migrator: that one always issues CREATE SCHEMA,
// which Postgres refuses to a role without the right to create schemas even where the schema is
// there already, and it fails when two processes migrate an empty database at once.
import { dirname } from 'node:path'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import pg from 'pg'
import { sleep } from '../async/signals.ts'
import { findAbove } from '../config/find-above.ts'

// Any constant: only our migrator takes this lock.
const migrationLock = 7_260_137

/** The journal that drizzle-kit writes stands in `drizzle/meta/`. */
function migrationsFolder(): string {
  return dirname(dirname(findAbove(import.meta.url, 'drizzle/meta/_journal.json')))
}

// One statement of a migration may take long, everything else may not: a server that vanished is
// noticed, and asked again by the caller.
const silenceMs = 20_000
const migrationMs = 600_000
const lockPollMs = 200

export interface MigrateOptions {
  signal?: AbortSignal
  /** How long the server has to take the connection. */
  connectMs?: number
}

/**
 * Brings schema gateway of the database at `url` up to date. Safe to call from many processes at
 * once, and to abort at any moment.
 */
export async function migrate(
  url: string,
  { signal = new AbortController().signal, connectMs = 10_000 }: MigrateOptions = {},
): Promise<void> {
  const migrations = readMigrationFiles({ migrationsFolder: migrationsFolder() })
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectMs,
    query_timeout: silenceMs,
    keepAlive: true,
    application_name: 'presenton-gateway migrate',
  })
  client.on('error', () => undefined)
  // biome-ignore lint/suspicious/noExplicitAny: pg offers no other way to let go of a server that has not answered yet.
  const leave = () => void (client as any).connection?.stream?.destroy()
  signal.throwIfAborted()
  signal.addEventListener('abort', leave, { once: true })
  try {
    await client.connect()
    await client.query('begin')
    await client.query(`set local statement_timeout = ${migrationMs}`)
    await takeLock(client, signal)
    const { rows: schemas } = await client.query(
      `select 1 from pg_namespace where nspname = 'gateway'`,
    )
    if (schemas.length === 0) await client.query('create schema gateway')
    await client.query(
      'create table if not exists gateway.migrations (id serial primary key, hash text not null, created_at bigint not null)',
    )
    const { rows } = await client.query<{ last: string | null }>(
      'select max(created_at) as last from gateway.migrations',
    )
    const last = Number(rows[0]?.last ?? 0)
    for (const migration of migrations.filter(({ folderMillis }) => folderMillis > last)) {
      for (const text of migration.sql)
        await client.query({ text, query_timeout: migrationMs } as pg.QueryConfig)
      await client.query('insert into gateway.migrations (hash, created_at) values ($1, $2)', [
        migration.hash,
        migration.folderMillis,
      ])
    }
    await client.query('commit')
  } finally {
    signal.removeEventListener('abort', leave)
    // A server that does not answer any more does not say goodbye either.
    await Promise.race([client.end().catch(() => undefined), sleep(1_000)])
  }
}

/**
 * Asked again and again instead of waited for: whoever holds it may be at a long migration, and a
 * silence would mean nothing.
 */
async function takeLock(client: pg.Client, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(
      'select pg_try_advisory_xact_lock($1) as taken',
      [migrationLock],
    )
    if (rows[0]?.taken) return
    await sleep(lockPollMs, signal)
  }
}
