// Presentations by the million, written by SQL as the gateway would have left them. Indexes are
// made after the rows, as any bulk load does it: the same indexes in the end, in a fraction of the
// time.
import type pg from 'pg'

export interface RowsOptions {
  /** All in all. */
  count: number
  /** Of the user `bench`. */
  own: number
  status?: string
}

export async function insertPresentations(
  client: pg.Client,
  { count, own, status = 'completed' }: RowsOptions,
): Promise<void> {
  const { rows: indexes } = await client.query<{ name: string; made: string }>(
    `select i.indexname as name, i.indexdef as made from pg_indexes i where i.schemaname = 'gateway' and i.tablename = 'presentations'
       and not exists (select 1 from pg_constraint c where c.conname = i.indexname)`,
  )
  for (const { name } of indexes) await client.query(`drop index gateway.${name}`)
  // Without the checks of what is known to be right: they would be made row by row.
  await client.query(
    `set synchronous_commit = off; set maintenance_work_mem = '256MB'; set session_replication_role = replica`,
  )
  // The user's own lie among the others', as rows do that came over years.
  await client.query(
    `insert into gateway.presentations (id, user_id, title, status, run_format, template, language, n_slides, export_as, brief, turn,
       queued_at, run_started_at, created_at, updated_at, started_at, completed_at, ended_at)
     select gen_random_uuid(), case when n % $2 = 0 then 'bench' else 'user-' || n % 997 end, 'Repairs of spring ' || n,
       case when n % 10 = 0 then 'failed' else $3 end, 'pptx', 'general', 'English', 8, 'pptx',
       json_build_object('content', repeat('The ferry runs until the bridge is repaired. ', 5), 'tone', 'default'), n, t, t, t, t, t, t, t
     from generate_series(1, $1) n, lateral (select now() - (($1 - n) || ' seconds')::interval as t) at`,
    [count, Math.round(count / own), status],
  )
  await client.query(
    'insert into gateway.leases (presentation_id, last_seq) select id, 60 from gateway.presentations',
  )
  await client.query(
    `insert into gateway.files (presentation_id, format, object_key, size_bytes, sha256, content_type)
     select id, 'pptx', 'presentations/' || user_id || '/' || id || '.pptx', 40000, repeat('0', 64), 'application/x' from gateway.presentations`,
  )
  for (const { made } of indexes) await client.query(made)
  await client.query('reset session_replication_role')
  await client.query('vacuum analyze gateway.presentations, gateway.leases, gateway.files')
}

/**
 * Waiting presentations of the user `bench`, each with the first event of its log; returns their
 * ids.
 */
export async function insertQueued(client: pg.Client, count: number): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `with new as (
       insert into gateway.presentations (id, user_id, status, run_format, template, language, n_slides, export_as, brief, turn, queued_at)
       select gen_random_uuid(), 'bench', 'queued', 'pptx', 'general', 'English', 8, 'pptx', '{}', n, clock_timestamp()
       from generate_series(1, $1) n returning id
     ), logged as (
       insert into gateway.events (presentation_id, seq, run, data) select id, 1, 1, '{"type":"queued","position":1,"run":1}' from new
     )
     select id from new`,
    [count],
  )
  await client.query(
    'insert into gateway.leases (presentation_id, last_seq) select id, 1 from gateway.presentations on conflict do nothing',
  )
  await client.query('analyze gateway.presentations, gateway.leases, gateway.events')
  return rows.map(({ id }) => id)
}
