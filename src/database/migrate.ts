// Applies drizzle/ to the database, under an advisory lock and with its journal in schema gateway.
// Not drizzle's own migrator: that always issues CREATE SCHEMA, which needs a right that the role
// may lack, and it fails when two processes migrate an empty database at once.

import { dirname } from 'node:path'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import type pg from 'pg'
import { sleep } from '../async/signals.ts'
import { findAbove } from '../config/find-above.ts'
import { type Address, openAddress } from './address.ts'
import { advisoryLocks } from './advisory-locks.ts'
import { destroySocket, endClient } from './pg-client.ts'

const lockPollMs = 200

const queryTimeoutMs = 20_000
// A statement of a migration may rewrite a large table.
const migrationTimeoutMs = 600_000
const closeTimeoutMs = 1_000

export interface MigrateOptions {
  signal?: AbortSignal
  /** How long the server may take to accept the connection. */
  connectTimeoutMs?: number
  /** Called once if another process holds the lock. */
  onLocked?: () => void
}

/** The folder with drizzle-kit's migrations; their journal is in `meta/`. */
export function migrationsFolder(): string {
  return dirname(dirname(findAbove(import.meta.url, 'drizzle/meta/_journal.json')))
}

/**
 * Brings schema gateway of the database up to date, in one transaction. Safe to call from
 * many processes at once, and to abort at any moment.
 *
 * @throws the error of the driver or the server; the caller retries an outage
 */
export async function migrate(
  at: string | Address,
  {
    signal = new AbortController().signal,
    connectTimeoutMs = 10_000,
    onLocked,
  }: MigrateOptions = {},
): Promise<void> {
  signal.throwIfAborted()
  const address = typeof at === 'string' ? openAddress(at) : at
  const client = address.createClient('presenton-gateway migrate', {
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
  })
  client.on('error', () => undefined)
  const onAbort = () => destroySocket(client)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await client.connect()
    await client.query('begin')
    await client.query(`set local statement_timeout = ${migrationTimeoutMs}`)
    await takeLock(client, signal, onLocked)
    await applyMigrations(client)
    await client.query('commit')
  } finally {
    signal.removeEventListener('abort', onAbort)
    await endClient(client, closeTimeoutMs)
  }
}

/** Polls for the lock: a query that waited for it would time out during a long migration. */
async function takeLock(
  client: pg.Client,
  signal: AbortSignal,
  onLocked: MigrateOptions['onLocked'],
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { rows } = await client.query<{ taken: boolean }>(
      'select pg_try_advisory_xact_lock($1) as taken',
      [advisoryLocks.migration],
    )
    if (rows[0]?.taken) return
    if (attempt === 1) onLocked?.()
    await sleep(lockPollMs, signal)
  }
}

async function applyMigrations(client: pg.Client): Promise<void> {
  const lastMs = await readLastMigration(client)
  for (const migration of readMigrationFiles({ migrationsFolder: migrationsFolder() })) {
    if (migration.folderMillis <= lastMs) continue
    for (const text of migration.sql) {
      await client.query({ text, query_timeout: migrationTimeoutMs } as pg.QueryConfig)
    }
    await client.query('insert into gateway.migrations (hash, created_at) values ($1, $2)', [
      migration.hash,
      migration.folderMillis,
    ])
  }
}

/** The time in the journal of the last migration applied, in ms; 0 for a new database. */
async function readLastMigration(client: pg.Client): Promise<number> {
  const schemas = await client.query(`select 1 from pg_namespace where nspname = 'gateway'`)
  if (schemas.rows.length === 0) await client.query('create schema gateway')
  await client.query(
    `create table if not exists gateway.migrations
       (id serial primary key, hash text not null, created_at bigint not null)`,
  )
  const { rows } = await client.query<{ last: string | null }>(
    'select max(created_at) as last from gateway.migrations',
  )
  return Number(rows[0]?.last ?? 0)
}
