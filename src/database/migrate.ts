// Applies drizzle/ to the database, once, whoever else is doing the same: under an advisory lock, journal in schema gateway.
// Not drizzle's own migrator: that one always issues CREATE SCHEMA, which Postgres refuses to a role without the right to
// create schemas even where the schema is there already, and it fails when two processes migrate an empty database at once.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import pg from 'pg'

// Any constant: only our migrator takes this lock.
const migrationLock = 7_260_137

/** Where drizzle/ lies: beside src/ in development, beside dist/ once built. */
function migrationsFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'drizzle', 'meta', '_journal.json'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error('The folder drizzle/ with the migrations is missing.')
    folder = parent
  }
  return join(folder, 'drizzle')
}

/** Brings schema gateway of the database at `url` up to date. Safe to call from many processes at once. */
export async function migrate(url: string): Promise<void> {
  const migrations = readMigrationFiles({ migrationsFolder: migrationsFolder() })
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    application_name: 'presenton-gateway migrate',
  })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query('begin')
    await client.query(`set local statement_timeout = '10min'`)
    await client.query('select pg_advisory_xact_lock($1)', [migrationLock])
    const { rows: schemas } = await client.query(`select 1 from pg_namespace where nspname = 'gateway'`)
    if (schemas.length === 0) await client.query('create schema gateway')
    await client.query(
      'create table if not exists gateway.migrations (id serial primary key, hash text not null, created_at bigint not null)',
    )
    const { rows } = await client.query<{ last: string | null }>('select max(created_at) as last from gateway.migrations')
    const last = Number(rows[0]?.last ?? 0)
    for (const migration of migrations.filter(({ folderMillis }) => folderMillis > last)) {
      for (const statement of migration.sql) await client.query(statement)
      await client.query('insert into gateway.migrations (hash, created_at) values ($1, $2)', [
        migration.hash,
        migration.folderMillis,
      ])
    }
    await client.query('commit')
  } finally {
    await client.end().catch(() => undefined)
  }
}
