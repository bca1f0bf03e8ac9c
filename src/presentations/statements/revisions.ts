// Reads the deck of a presentation and its revision.

import type { Queryable } from '../../database/connection.ts'
import { revisionOf } from '../../database/revisions.ts'

export interface DeckRevision {
  deckId: string | null
  /** The account in Presenton that owns the deck; null for the shared one. */
  account: string | null
  /** Null before the first completion. */
  revision: number | null
}

/** Undefined when the user has no such presentation. */
export async function findRevision(
  database: Queryable,
  { userId, id }: { userId: string; id: string },
): Promise<DeckRevision | undefined> {
  const [row] = await database.query<DeckRevision>(
    `select presenton_presentation_id as "deckId", account, ${revisionOf('p')} as revision
     from gateway.presentations p where id = $1 and user_id = $2`,
    [id, userId],
  )
  return row
}
