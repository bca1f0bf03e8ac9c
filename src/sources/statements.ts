// Statements of a user's own sources. A deleted source looks like one that never existed.

import { and, desc, eq, isNull, sql } from 'drizzle-orm'
import { advisoryLocks } from '../database/advisory-locks.ts'
import type { Queryable } from '../database/connection.ts'
import { sources } from '../database/schema/sources.ts'
import { build, columns, type Given, statement } from '../database/statement.ts'
import type { ReceivedSource } from './receive-file.ts'

const row = columns(
  sources,
  ...(['id', 'name', 'contentType', 'sizeBytes', 'sha256', 'objectKey', 'createdAt'] as const),
)

const selectOne = statement((given: Given<{ userId: string; id: string }>) =>
  build
    .select(row)
    .from(sources)
    .where(
      and(eq(sources.id, given.id), eq(sources.userId, given.userId), isNull(sources.deletedAt)),
    ),
)

export type SourceRow = Omit<Awaited<ReturnType<typeof selectOne>>[number], 'contentType'> &
  Pick<ReceivedSource, 'contentType'>

/** Undefined when the user has no such source. */
export async function findSource(
  database: Queryable,
  own: { userId: string; id: string },
): Promise<SourceRow | undefined> {
  const [found] = await selectOne(database, own)
  return found as SourceRow | undefined
}

export interface SourceListQuery {
  userId: string
  limit: number
  /** The last row of the previous page. */
  after?: { createdAt: Date; id: string } | undefined
}

type PageValues = Omit<SourceListQuery, 'after'> & Partial<NonNullable<SourceListQuery['after']>>

const selectPage = (isLater: boolean) =>
  statement((given: Given<PageValues>) =>
    build
      .select(row)
      .from(sources)
      .where(
        and(
          eq(sources.userId, given.userId),
          isNull(sources.deletedAt),
          ...(isLater
            ? [sql`(${sources.createdAt}, ${sources.id}) < (${given.createdAt}, ${given.id})`]
            : []),
        ),
      )
      .orderBy(desc(sources.createdAt), desc(sources.id))
      .limit(given.limit),
  )
const firstPage = selectPage(false)
const laterPage = selectPage(true)

/** A page of this user's sources, newest first. */
export async function listSources(
  database: Queryable,
  { userId, limit, after }: SourceListQuery,
): Promise<SourceRow[]> {
  const select = after ? laterPage : firstPage
  return (await select(database, { userId, limit, ...after })) as SourceRow[]
}

const lockUser = `select pg_advisory_xact_lock(${advisoryLocks.uploads}, hashtext($1))`

/** Until the transaction ends, no other one adds sources of this user. */
export async function lockUploads(client: Queryable, userId: string): Promise<void> {
  await client.query(lockUser, [userId])
}

/**
 * Inserts the sources, each a millisecond younger than the one before, so that a list has them in
 * a fixed order.
 */
export async function insertSources(
  client: Queryable,
  { userId, received }: { userId: string; received: ReceivedSource[] },
): Promise<SourceRow[]> {
  const rows = await client.query<Pick<SourceRow, 'id' | 'createdAt'>>(
    `insert into gateway.sources
       (id, user_id, name, content_type, size_bytes, sha256, object_key, created_at)
     select id, $1, name, content_type, size_bytes, sha256, object_key,
       now() + n * interval '1 millisecond'
     from unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
       with ordinality as given(id, name, content_type, size_bytes, sha256, object_key, n)
     returning id, created_at as "createdAt"`,
    [
      userId,
      received.map(({ id }) => id),
      received.map(({ name }) => name),
      received.map(({ contentType }) => contentType),
      received.map(({ sizeBytes }) => sizeBytes),
      received.map(({ sha256 }) => sha256),
      received.map(({ objectKey }) => objectKey),
    ],
  )
  const createdAt = new Map(rows.map((inserted) => [inserted.id, inserted.createdAt]))
  return received.map((source) => ({
    ...source,
    createdAt: createdAt.get(source.id) ?? new Date(),
  }))
}
