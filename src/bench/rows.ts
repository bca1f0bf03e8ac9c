// Rows that benchmarks write by SQL, as the gateway would have left them. The columns come from the
// schema, so that a renamed column is a type error here.
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type pg from 'pg'
import { files } from '../database/schema/external.ts'
import { events, leases } from '../database/schema/log.ts'
import { presentations } from '../database/schema/presentations.ts'

type Columns<Table extends PgTable> = Table['_']['columns']

/**
 * `insert into … select …`, with an SQL expression for each column. `from` is the rest of the
 * SELECT, which has a row for each row to insert.
 */
export function insertSelect<Table extends PgTable>(
  table: Table,
  expressions: { [Column in keyof Columns<Table>]?: string },
  from = '',
): string {
  const columns = getTableColumns(table)
  const names = Object.keys(expressions).map((key) => columns[key]?.name)
  return `insert into gateway.${getTableName(table)} (${names.join(', ')})
    select ${Object.values(expressions).join(', ')} ${from}`
}

/** A brief with the same options for all rows. */
export const sameBrief = {
  runFormat: `'pptx'`,
  template: `'general'`,
  language: `'English'`,
  nSlides: '8',
  exportAs: `'pptx'`,
  brief: `'{}'`,
} as const

export interface RowsOptions {
  /** Number of all rows. */
  count: number
  /** How many of them belong to the user `bench`. */
  own: number
}

/**
 * Inserts finished presentations, up to millions. Like a bulk load, it creates the indexes after
 * the rows, which takes a fraction of the time.
 */
export async function insertPresentations(
  client: pg.Client,
  { count, own }: RowsOptions,
): Promise<void> {
  const { rows: indexes } = await client.query<{ name: string; definition: string }>(
    `select i.indexname as name, i.indexdef as definition from pg_indexes i
     where i.schemaname = 'gateway' and i.tablename = $1
       and not exists (select 1 from pg_constraint c where c.conname = i.indexname)`,
    [getTableName(presentations)],
  )
  for (const { name } of indexes) await client.query(`drop index gateway.${name}`)
  // Replica mode skips the checks of foreign keys, which take time for each row.
  await client.query(
    `set synchronous_commit = off; set maintenance_work_mem = '256MB'; set session_replication_role = replica`,
  )
  // The user's own rows are spread among the others, as after years of use.
  await client.query(
    insertSelect(
      presentations,
      {
        ...sameBrief,
        id: 'gen_random_uuid()',
        userId: `case when n % $2 = 0 then 'bench' else 'user-' || n % 997 end`,
        title: `'Repairs of spring ' || n`,
        status: `case when n % 10 = 0 then 'failed' else 'completed' end`,
        brief: `json_build_object('content', repeat('The ferry runs until the bridge is repaired. ', 5), 'tone', 'default')`,
        turn: 'n',
        queuedAt: 't',
        runStartedAt: 't',
        createdAt: 't',
        updatedAt: 't',
        startedAt: 't',
        completedAt: 't',
        endedAt: 't',
      },
      `from generate_series(1, $1) n, lateral (select now() - (($1 - n) || ' seconds')::interval as t) at`,
    ),
    [count, Math.round(count / own)],
  )
  await client.query(
    insertSelect(leases, { presentationId: 'id', lastSeq: '60' }, 'from gateway.presentations'),
  )
  await client.query(
    insertSelect(
      files,
      {
        presentationId: 'id',
        format: `'pptx'`,
        objectKey: `'presentations/' || user_id || '/' || id || '.pptx'`,
        sizeBytes: '40000',
        sha256: `repeat('0', 64)`,
        contentType: `'application/x'`,
      },
      'from gateway.presentations',
    ),
  )
  for (const { definition } of indexes) await client.query(definition)
  await client.query('reset session_replication_role')
  await client.query('vacuum analyze gateway.presentations, gateway.leases, gateway.files')
}

/**
 * Inserts queued presentations of the user `bench` with their first event, and returns their ids.
 */
export async function insertQueued(client: pg.Client, count: number): Promise<string[]> {
  const newPresentations = insertSelect(
    presentations,
    {
      ...sameBrief,
      id: 'gen_random_uuid()',
      userId: `'bench'`,
      status: `'queued'`,
      turn: 'n',
      queuedAt: 'clock_timestamp()',
    },
    'from generate_series(1, $1) n',
  )
  const firstEvents = insertSelect(
    events,
    {
      presentationId: 'id',
      seq: '1',
      run: '1',
      kind: `'queued'`,
      data: `'{"type":"queued","position":1,"run":1}'`,
    },
    'from new',
  )
  const { rows } = await client.query<{ id: string }>(
    `with new as (${newPresentations} returning id), logged as (${firstEvents}) select id from new`,
    [count],
  )
  await client.query(
    `${insertSelect(leases, { presentationId: 'id', lastSeq: '1' }, 'from gateway.presentations')} on conflict do nothing`,
  )
  await client.query('analyze gateway.presentations, gateway.leases, gateway.events')
  return rows.map(({ id }) => id)
}

/** Inserts the log of a finished run: `count` events, of which the last one is terminal. */
export async function insertFinishedLog(
  client: pg.Client,
  { id, count }: { id: string; count: number },
): Promise<void> {
  await client.query(
    insertSelect(presentations, {
      ...finished,
      id: '$1::uuid',
      turn: '1',
    }),
    [id],
  )
  await client.query(insertSelect(leases, { presentationId: '$1::uuid', lastSeq: '$2::bigint' }), [
    id,
    count,
  ])
  await client.query(
    insertSelect(
      events,
      {
        presentationId: '$1::uuid',
        seq: 'n',
        run: '1',
        terminal: 'n = $2',
        kind: `case when n = $2 then 'complete' else 'chunk' end`,
        data: `case when n = $2 then '{"type":"complete","presentation":{},"run":1}'
          else json_build_object('type', 'chunk', 'chunk', repeat('a slide of words ', 25), 'run', 1, 'stage', 'slides', 'n', n)::text end`,
      },
      'from generate_series(1, $2) n',
    ),
    [id, count],
  )
  await client.query('vacuum analyze gateway.events')
}

/** Inserts presentations that ended now, each with a log like that of a deck of 8 slides. */
export async function insertFinished(
  client: pg.Client,
  { count, eventsPerDeck }: { count: number; eventsPerDeck: number },
): Promise<void> {
  await client.query('set synchronous_commit = off')
  const newPresentations = insertSelect(
    presentations,
    { ...finished, id: 'gen_random_uuid()', turn: 'n' },
    'from generate_series(1, $1) n',
  )
  const newLeases = insertSelect(leases, { presentationId: 'id', lastSeq: '$2' }, 'from new')
  const log = insertSelect(
    events,
    {
      presentationId: 'id',
      seq: 'n',
      run: '1',
      terminal: 'n = $2',
      kind: `'chunk'`,
      data: 'repeat(md5(id::text || n), case when n % 7 = 0 then 60 else 8 end)',
    },
    'from generate_series(1, $2) n, new',
  )
  await client.query(
    `with new as (${newPresentations} returning id), leased as (${newLeases}) ${log}`,
    [count, eventsPerDeck],
  )
}

const finished = {
  ...sameBrief,
  userId: `'bench'`,
  status: `'completed'`,
  queuedAt: 'now()',
  runStartedAt: 'now()',
  endedAt: 'now()',
} as const
