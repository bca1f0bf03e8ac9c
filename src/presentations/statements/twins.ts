// Unfinished presentations of the same brief, for callers who would rather have such a twin than
// make another. Raw SQL: it looks up a batch.
import type { Queryable } from '../../database/connection.ts'

export interface TwinKey {
  userId: string
  briefDigest: string
}

/** Ids of the newest unfinished twins that are at most ten minutes old. */
export function findTwins(
  client: Queryable,
  keys: readonly TwinKey[],
): Promise<(TwinKey & { id: string })[]> {
  return client.query(
    `select distinct on (p.user_id, p.brief_digest)
       p.id, p.user_id as "userId", p.brief_digest as "briefDigest"
     from unnest($1::text[], $2::text[]) given(user_id, brief_digest)
     join gateway.presentations p using (user_id, brief_digest)
     where p.status in ('queued', 'running', 'awaiting_outlines') and p.run_kind = 'deck'
       and p.created_at > now() - interval '10 minutes'
     order by p.user_id, p.brief_digest, p.created_at desc, p.id desc`,
    [keys.map(({ userId }) => userId), keys.map(({ briefDigest }) => briefDigest)],
  )
}
