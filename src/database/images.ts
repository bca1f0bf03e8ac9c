// The pictures that occur in a user's slides: only those may be fetched through the gateway, and
// only by that user.

import type { Database } from './connection.ts'
import type { ExtraStatement } from './run-write.ts'

/** Recorded with the events that name them. Paths are unencoded. */
export function recordImages(userId: string, paths: readonly string[]): ExtraStatement {
  return {
    text: `insert into gateway.assets (user_id, path, presentation_id) select $2, path, $1 from unnest($3::text[]) as path
      on conflict do nothing`,
    values: [userId, paths],
  }
}

export async function ownsImage(
  database: Pick<Database, 'query'>,
  { userId, path }: { userId: string; path: string },
): Promise<boolean> {
  const rows = await database.query(
    'select 1 from gateway.assets where user_id = $1 and path = $2 limit 1',
    [userId, path],
  )
  return rows.length > 0
}
