// Which presentation a deck belongs to. The id of an earlier attempt leads to the present deck.

import type { Status } from '../contract/presentation.ts'
import type { Queryable } from '../database/connection.ts'

export interface OwnDeck {
  presentationId: string
  /** The present deck of the presentation. */
  deckId: string
  status: Status
  title: string | null
  /** The id that was asked for is of an earlier deck of the presentation. */
  isEarlier: boolean
}

export type FindOwnDeck = (userId: string, deckId: string) => Promise<OwnDeck | undefined>

/** Undefined for an unknown deck, one of another user, or one of the shared account. */
export async function findOwnDeck(
  database: Queryable,
  userId: string,
  deckId: string,
): Promise<OwnDeck | undefined> {
  const [row] = await database.query<OwnDeck>(
    `select p.id as "presentationId", p.presenton_presentation_id as "deckId", p.status, p.title,
       p.presenton_presentation_id <> d.deck_id as "isEarlier"
     from gateway.decks d join gateway.presentations p on p.id = d.presentation_id
     where d.deck_id = $2 and p.user_id = $1 and p.account is not null
       and p.presenton_presentation_id is not null`,
    [userId, deckId],
  )
  return row
}
