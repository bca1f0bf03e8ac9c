// The decks that were made upstream: each is known here from its first moment, so that it can be
// shown when it is finished, and removed when its presentation is.
import type { Database } from '../../database/connection.ts'
import type { ExtraStatement } from '../../database/run-write.ts'

/** A deck made upstream, so that it can be removed there with its presentation. */
export function recordDeck(deckId: string): ExtraStatement {
  return {
    text: `insert into gateway.decks (deck_id, presentation_id) values ($2, $1) on conflict do nothing`,
    values: [deckId],
  }
}

/**
 * A deck that was made upstream for a run that could not take it any more: nothing may keep it
 * there.
 */
export async function scheduleDeckRemoval(
  database: Pick<Database, 'query'>,
  deck: { deckId: string; presentationId: string },
) {
  await database.query(
    'insert into gateway.decks (deck_id, presentation_id, remove_after) values ($1, $2, now()) on conflict do nothing',
    [deck.deckId, deck.presentationId],
  )
}

/**
 * Decks to remove upstream, the longest due first; never one that a presentation still works with.
 */
export async function findRemovableDecks(
  database: Pick<Database, 'query'>,
  limit = 50,
): Promise<string[]> {
  const rows = await database.query<{ deckId: string }>(
    `select d.deck_id as "deckId" from gateway.decks d
     where d.remove_after <= now()
       and not exists (select 1 from gateway.presentations p where p.id = d.presentation_id and p.presenton_presentation_id = d.deck_id)
     order by d.remove_after limit $1`,
    [limit],
  )
  return rows.map(({ deckId }) => deckId)
}

/** Forgets a deck that is gone from upstream. */
export async function forgetDeck(database: Pick<Database, 'query'>, deckId: string): Promise<void> {
  await database.query('delete from gateway.decks where deck_id = $1', [deckId])
}

/** What could not be removed is tried again after so long; others come first meanwhile. */
export async function postponeDeck(
  database: Pick<Database, 'query'>,
  deckId: string,
  minutes: number,
): Promise<void> {
  await database.query(
    `update gateway.decks set remove_after = now() + $2 * interval '1 minute' where deck_id = $1`,
    [deckId, minutes],
  )
}

/**
 * The finished presentation as upstream gave it, kept for the `complete` events of this and of
 * later runs.
 */
export function recordFinishedDeck(deckId: string, finished: unknown): ExtraStatement {
  return {
    text: `update gateway.decks set finished = $3 where presentation_id = $1 and deck_id = $2`,
    values: [deckId, JSON.stringify(finished)],
  }
}

/** The same under the title that its owner gave it last; undefined before there is one. */
export async function findFinishedDeck(
  database: Pick<Database, 'query'>,
  deckId: string,
): Promise<object | undefined> {
  const rows = await database.query<{ finished: object | null; title: string | null }>(
    `select d.finished, p.title from gateway.decks d join gateway.presentations p on p.id = d.presentation_id where d.deck_id = $1`,
    [deckId],
  )
  const { finished, title } = rows[0] ?? {}
  return finished ? { ...finished, ...(title !== null && { title }) } : undefined
}
