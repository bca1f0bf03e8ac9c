// Object keys, recorded before they are used: what the store holds of ours is known here, and what
// nobody needs any more is taken away from there. The bucket itself is never listed, since others
// may use it.
import type { Database } from '../../database/connection.ts'
import type { ExtraStatement } from '../../database/run-write.ts'

/**
 * Recorded with the checkpoint before an upload: to be removed in an hour, unless a file names it
 * or this lease still holds it.
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

export interface FinishedFile {
  format: string
  objectKey: string
  sizeBytes: number
  sha256: string
  contentType: string
  /** How long links to what this file replaces may still be in use, in s. */
  replacedAfterSeconds: number
}

/**
 * Names the new file of a presentation, which is then kept, and sets a time for what it replaces.
 */
export function recordFile(file: FinishedFile): ExtraStatement {
  return {
    text: `with replaced as (
        update gateway.uploads u set remove_after = now() + $7 * interval '1 second'
        from gateway.files f where f.presentation_id = $1 and f.format = $2 and u.object_key = f.object_key and f.object_key <> $3
      ), kept as (
        update gateway.uploads set remove_after = null where object_key = $3
      )
      insert into gateway.files (presentation_id, format, object_key, size_bytes, sha256, content_type)
      values ($1, $2, $3, $4, $5, $6)
      on conflict (presentation_id, format) do update set object_key = excluded.object_key, size_bytes = excluded.size_bytes,
        sha256 = excluded.sha256, content_type = excluded.content_type, stored_at = now()`,
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

/**
 * Keys whose time has come: no file names them, and no lease holds them. At most `limit`. A lease
 * that ran out still does, until another takes the run over: after a long outage its holder may be
 * about to name the file.
 */
export async function findRemovableUploads(
  database: Pick<Database, 'query'>,
  limit = 100,
): Promise<string[]> {
  const rows = await database.query<{ objectKey: string }>(
    `select u.object_key as "objectKey" from gateway.uploads u
     where u.remove_after < now()
       and not exists (select 1 from gateway.leases l where l.presentation_id = u.presentation_id and l.token = u.lease_token)
       and not exists (select 1 from gateway.files f where f.object_key = u.object_key)
     order by u.remove_after limit $1`,
    [limit],
  )
  return rows.map(({ objectKey }) => objectKey)
}

/** Forgets keys that are gone from the store. */
export async function forgetUploads(
  database: Pick<Database, 'query'>,
  objectKeys: string[],
): Promise<void> {
  await database.query('delete from gateway.uploads where object_key = any($1)', [objectKeys])
}

/** What could not be removed is tried again after so long; others come first meanwhile. */
export async function postponeUpload(
  database: Pick<Database, 'query'>,
  objectKey: string,
  minutes: number,
): Promise<void> {
  await database.query(
    `update gateway.uploads set remove_after = now() + $2 * interval '1 minute' where object_key = $1`,
    [objectKey, minutes],
  )
}
