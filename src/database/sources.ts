// Sources as presentations need them, and when their objects may go. An object stays while a
// presentation that names it is unfinished or can be retried. Raw SQL: arrays and row locks.

import type { SourceType } from '../contract/source.ts'
import type { Queryable } from './connection.ts'

export interface BriefSource {
  id: string
  userId: string
  name: string
  contentType: SourceType
}

/**
 * Those of the ids that exist, by id. Their rows are locked: until the transaction ends, none can
 * be deleted, so a later deletion sees the presentations that name it.
 */
export async function lockSources(
  client: Queryable,
  ids: string[],
): Promise<Map<string, BriefSource>> {
  const rows = await client.query<BriefSource>(
    `select id, user_id as "userId", name, content_type as "contentType"
     from gateway.sources where id = any($1::uuid[]) and deleted_at is null
     order by id for share`,
    [ids],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

export interface NamedSource {
  presentationId: string
  /** In the brief, from 0. */
  position: number
  sourceId: string
  name: string
}

export async function insertPresentationSources(
  client: Queryable,
  named: NamedSource[],
): Promise<void> {
  await client.query(
    `insert into gateway.presentation_sources (presentation_id, position, source_id, name)
     select * from unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[])`,
    [
      named.map(({ presentationId }) => presentationId),
      named.map(({ position }) => position),
      named.map(({ sourceId }) => sourceId),
      named.map(({ name }) => name),
    ],
  )
}

/** More that a chat is given beyond this are read by it, but not listed. */
const maxListedSources = 100

/** Adds what a chat was given to the sources of its presentation, each once. */
export async function addPresentationSources(
  database: Queryable,
  { presentationId, sourceIds }: { presentationId: string; sourceIds: string[] },
): Promise<void> {
  await database.query(
    `with listed as (
       select count(*) as count, coalesce(max(position), -1) as last
       from gateway.presentation_sources where presentation_id = $1
     ), added as (
       select s.id, s.name, row_number() over (order by given.n) as n
       from unnest($2::uuid[]) with ordinality as given(id, n)
       join gateway.sources s on s.id = given.id and s.deleted_at is null
       where not exists (select from gateway.presentation_sources ps
         where ps.presentation_id = $1 and ps.source_id = s.id)
     )
     insert into gateway.presentation_sources (presentation_id, position, source_id, name)
     select $1, last + n, added.id, added.name from added, listed
     where listed.count + n <= ${maxListedSources}
     on conflict do nothing`,
    [presentationId, sourceIds],
  )
}

export interface RunSource {
  objectKey: string
  contentType: SourceType
  sizeBytes: number
}

/** The sources of a presentation, in the order of its brief. */
export function readRunSources(database: Queryable, presentationId: string): Promise<RunSource[]> {
  return database.query<RunSource>(
    `select s.object_key as "objectKey", s.content_type as "contentType",
       s.size_bytes as "sizeBytes"
     from gateway.presentation_sources ps join gateway.sources s on s.id = ps.source_id
     where ps.presentation_id = $1 order by ps.position`,
    [presentationId],
  )
}

const isNeeded = `exists (
  select from gateway.presentation_sources ps
  join gateway.presentations p on p.id = ps.presentation_id
  where ps.source_id = s.id and p.status <> 'completed')`

/** Records the key of an object before its upload. It is removed later, unless it is kept. */
export async function recordSourceUpload(database: Queryable, objectKey: string): Promise<void> {
  await database.query(
    `insert into gateway.uploads (object_key, remove_after)
     values ($1, now() + interval '2 hours')`,
    [objectKey],
  )
}

/** Keeps objects that were uploaded in time. Returns how many. */
export async function keepUploads(client: Queryable, objectKeys: string[]): Promise<number> {
  const rows = await client.query(
    `update gateway.uploads set remove_after = null
     where object_key = any($1::text[]) and remove_after > now() returning 1`,
    [objectKeys],
  )
  return rows.length
}

/** Schedules the removal of objects that no source names, and returns their keys. */
export async function abandonUploads(database: Queryable, objectKeys: string[]): Promise<string[]> {
  const rows = await database.query<{ objectKey: string }>(
    `update gateway.uploads u set remove_after = now()
     where object_key = any($1::text[])
       and not exists (select from gateway.sources s where s.object_key = u.object_key)
     returning object_key as "objectKey"`,
    [objectKeys],
  )
  return rows.map(({ objectKey }) => objectKey)
}

/** Marks a source of this user as deleted. False when the user has no such source. */
export async function markSourceDeleted(
  client: Queryable,
  { userId, id }: { userId: string; id: string },
): Promise<boolean> {
  const rows = await client.query(
    `update gateway.sources set deleted_at = now()
     where id = $1 and user_id = $2 and deleted_at is null returning 1`,
    [id, userId],
  )
  return rows.length > 0
}

/**
 * Forgets deleted sources that no presentation needs, and schedules the removal of their objects.
 * To be called in a later statement than the deletion, which it must see. Returns how many.
 */
export async function releaseDeletedSources(database: Queryable, limit = 100): Promise<number> {
  const rows = await database.query(
    `with released as (
       delete from gateway.sources where id in (
         select s.id from gateway.sources s
         where s.deleted_at is not null and not ${isNeeded}
         order by s.deleted_at limit $1 for update skip locked)
       returning object_key
     )
     update gateway.uploads u set remove_after = now()
     from released where u.object_key = released.object_key returning 1`,
    [limit],
  )
  return rows.length
}

/** Deletes sources over their retention, except those of unfinished presentations. */
export async function expireSources(
  database: Queryable,
  { retentionHours, limit = 100 }: { retentionHours: number; limit?: number },
): Promise<number> {
  const rows = await database.query(
    `update gateway.sources set deleted_at = now() where id in (
       select s.id from gateway.sources s
       where s.deleted_at is null and s.created_at < now() - make_interval(hours => $1)
         and not exists (
           select from gateway.presentation_sources ps
           join gateway.presentations p on p.id = ps.presentation_id
           where ps.source_id = s.id and p.status in ('queued', 'running', 'awaiting_outlines'))
       order by s.created_at limit $2 for update skip locked)
     returning 1`,
    [retentionHours, limit],
  )
  return rows.length
}
