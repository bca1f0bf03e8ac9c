// What upstream read out of documents, and who may have documents read. Raw SQL: rights end by the
// database's clock.

import type { Queryable } from './connection.ts'

/** Replaces what was read before. */
export async function saveDocumentText(
  database: Queryable,
  { sourceId, content }: { sourceId: string; content: string },
): Promise<void> {
  await database.query(
    `insert into gateway.document_texts (source_id, content) values ($1, $2)
     on conflict (source_id) do update set content = excluded.content, read_at = now()`,
    [sourceId, content],
  )
}

const isFresh = `read_at > now() - interval '1 day'`

/** Undefined for a source that the user does not have, or that was not read for a day. */
export async function findDocumentText(
  database: Queryable,
  { userId, sourceId }: { userId: string; sourceId: string },
): Promise<{ name: string; content: string } | undefined> {
  const [row] = await database.query<{ name: string; content: string }>(
    `select s.name, t.content from gateway.document_texts t
     join gateway.sources s on s.id = t.source_id
     where t.source_id = $2 and s.user_id = $1 and s.deleted_at is null and ${isFresh}`,
    [userId, sourceId],
  )
  return row
}

/** Deletes texts after a day, and those of deleted sources. */
export async function pruneDocumentTexts(database: Queryable): Promise<void> {
  await database.query(
    `delete from gateway.document_texts t where not ${isFresh} or not exists (
       select from gateway.sources s where s.id = t.source_id and s.deleted_at is null)`,
  )
}

export interface ReadRight {
  userId: string
  token: string
  leaseMs: number
}

/** Whether the user has no other request of this kind. A lost holder's right ends by itself. */
export async function takeReadRight(
  database: Queryable,
  { userId, token, leaseMs }: ReadRight,
): Promise<boolean> {
  const rows = await database.query(
    `insert into gateway.document_reads as held (user_id, token, expires_at)
     values ($1, $2, clock_timestamp() + $3 * interval '1 ms')
     on conflict (user_id) do update set token = excluded.token, expires_at = excluded.expires_at
       where held.expires_at <= clock_timestamp()
     returning 1`,
    [userId, token, leaseMs],
  )
  return rows.length > 0
}

export async function renewReadRight(
  database: Queryable,
  { userId, token, leaseMs }: ReadRight,
): Promise<void> {
  await database.query(
    `update gateway.document_reads set expires_at = clock_timestamp() + $3 * interval '1 ms'
     where user_id = $1 and token = $2`,
    [userId, token, leaseMs],
  )
}

export async function endReadRight(
  database: Queryable,
  { userId, token }: Pick<ReadRight, 'userId' | 'token'>,
): Promise<void> {
  await database.query('delete from gateway.document_reads where user_id = $1 and token = $2', [
    userId,
    token,
  ])
}
