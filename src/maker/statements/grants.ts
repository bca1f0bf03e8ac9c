// Grants of a regeneration. The interface asks for the page first and opens the stream after it,
// perhaps at another replica, so a grant is a row.

import type { Queryable } from '../../database/connection.ts'

export interface Grant {
  /** The hash of the session. */
  session: string
  presentationId: string
  run: number
}

const grantSeconds = 120

/** Also deletes grants that were never used. */
export async function saveGrant(
  database: Queryable,
  { session, presentationId, run }: Grant,
): Promise<void> {
  await database.query(
    `with expired as (
       delete from gateway.maker_grants where expires_at < now() and session <> $1
     )
     insert into gateway.maker_grants (session, presentation_id, run, expires_at)
     values ($1, $2, $3, now() + $4 * interval '1 second')
     on conflict (session, presentation_id) do update
       set run = excluded.run, expires_at = excluded.expires_at`,
    [session, presentationId, run, grantSeconds],
  )
}

/** The run after which the session may start another; undefined without a grant. */
export async function findGrant(
  database: Queryable,
  { session, presentationId }: Omit<Grant, 'run'>,
): Promise<number | undefined> {
  const [row] = await database.query<{ run: number }>(
    `select run from gateway.maker_grants
     where session = $1 and presentation_id = $2 and expires_at > now()`,
    [session, presentationId],
  )
  return row?.run
}

export async function deleteGrant(
  database: Queryable,
  { session, presentationId }: Omit<Grant, 'run'>,
): Promise<void> {
  await database.query(
    'delete from gateway.maker_grants where session = $1 and presentation_id = $2',
    [session, presentationId],
  )
}
