// What the handlers of files read and write. Raw SQL: arrays.

import type { Queryable } from '../../database/connection.ts'
import type { SourceRow } from '../../sources/statements.ts'

/** Those of the ids that the user has, in any order. */
export function findOwnSources(
  database: Queryable,
  { userId, ids }: { userId: string; ids: string[] },
): Promise<SourceRow[]> {
  return database.query<SourceRow>(
    `select id, name, content_type as "contentType", size_bytes as "sizeBytes", sha256,
       object_key as "objectKey", created_at as "createdAt"
     from gateway.sources
     where user_id = $1 and id = any($2::uuid[]) and deleted_at is null`,
    [userId, ids],
  )
}
