// Object keys, recorded before their upload: the store is cleaned by this list. The bucket itself
// is never listed, because others may use it.
import { and, eq, lt, notExists, sql } from 'drizzle-orm'
import type { Queryable } from './connection.ts'
import { revisionOf } from './revisions.ts'
import type { ExtraStatement } from './run-write.ts'
import { files, uploads } from './schema/external.ts'
import { leases } from './schema/log.ts'
import { sources } from './schema/sources.ts'
import { build, columns, type Given, statement } from './statement.ts'

/**
 * Joins the checkpoint before an upload. The object is removed after an hour, unless a file names
 * it or this lease still holds it.
 */
export function recordUpload({
  objectKey,
  token,
}: {
  objectKey: string
  token: string
}): ExtraStatement {
  return {
    text: `insert into gateway.uploads (object_key, presentation_id, lease_token, remove_after)
      values ($2, $1, $3, now() + interval '1 hour') on conflict do nothing`,
    values: [objectKey, token],
  }
}

/** Joins the start of an export: the file will show at least this revision. */
export const noteExportRevision: ExtraStatement = {
  text: `update gateway.presentations p set export_revision = coalesce(${revisionOf('p')}, 1)
    where id = $1`,
  values: [],
}

type GivenMembers = Omit<typeof files.$inferInsert, 'presentationId' | 'storedAt' | 'revision'>
export type FinishedFile = GivenMembers & {
  /** How long download links to the replaced file may still be in use, in s. */
  replacedAfterSeconds: number
}

/** Records the new file of its format, keeps its object, and schedules the removal of the old. */
export function recordFile(file: FinishedFile): ExtraStatement {
  return {
    text: `with replaced as (
        update gateway.uploads u set remove_after = now() + $7 * interval '1 second'
        from gateway.files f
        where f.presentation_id = $1 and f.format = $2
          and u.object_key = f.object_key and f.object_key <> $3
      ), kept as (
        update gateway.uploads set remove_after = null where object_key = $3
      )
      insert into gateway.files
        (presentation_id, format, object_key, size_bytes, sha256, content_type, revision)
      values ($1, $2, $3, $4, $5, $6,
        (select coalesce(export_revision, 1) from gateway.presentations where id = $1))
      on conflict (presentation_id, format) do update set
        object_key = excluded.object_key, size_bytes = excluded.size_bytes,
        sha256 = excluded.sha256, content_type = excluded.content_type, stored_at = now(),
        revision = excluded.revision`,
    values: [
      file.format,
      file.objectKey,
      file.sizeBytes,
      file.sha256,
      file.contentType,
      file.replacedAfterSeconds,
    ],
  }
}

const heldByLease = build
  .select(columns(leases, 'token'))
  .from(leases)
  .where(
    and(eq(leases.presentationId, uploads.presentationId), eq(leases.token, uploads.leaseToken)),
  )

const namedByFile = build
  .select(columns(files, 'objectKey'))
  .from(files)
  .where(eq(files.objectKey, uploads.objectKey))

const namedBySource = build
  .select(columns(sources, 'objectKey'))
  .from(sources)
  .where(eq(sources.objectKey, uploads.objectKey))

const selectRemovable = statement((given: Given<{ limit: number }>) =>
  build
    .select(columns(uploads, 'objectKey'))
    .from(uploads)
    .where(
      and(
        lt(uploads.removeAfter, sql`now()`),
        notExists(heldByLease),
        notExists(namedByFile),
        notExists(namedBySource),
      ),
    )
    .orderBy(uploads.removeAfter)
    .limit(given.limit),
)

/**
 * Keys of objects to remove, longest due first. An expired lease still holds its uploads until
 * another worker claims the run: after a long outage its holder may be about to record the file.
 */
export async function findRemovableUploads(database: Queryable, limit = 100): Promise<string[]> {
  return (await selectRemovable(database, { limit })).map(({ objectKey }) => objectKey)
}

const deleteByKey = statement((given: Given<{ objectKey: string }>) =>
  build.delete(uploads).where(eq(uploads.objectKey, given.objectKey)),
)

/** Deletes the record of an object that is no longer in the store. */
export async function deleteUploadRecord(database: Queryable, objectKey: string): Promise<void> {
  await deleteByKey(database, { objectKey })
}

const postpone = statement((given: Given<{ objectKey: string; minutes: number }>) =>
  build
    .update(uploads)
    .set({ removeAfter: sql`now() + ${given.minutes} * interval '1 minute'` })
    .where(eq(uploads.objectKey, given.objectKey)),
)

/** Schedules another attempt at a removal that failed. Other objects come first until then. */
export async function postponeUpload(
  database: Queryable,
  objectKey: string,
  minutes: number,
): Promise<void> {
  await postpone(database, { objectKey, minutes })
}
