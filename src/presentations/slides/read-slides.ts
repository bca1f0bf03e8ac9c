// Reads the slides of a finished deck from upstream. The gateway keeps none.

import type { Database } from '../../database/connection.ts'
import { Problem } from '../../domain/problem.ts'
import { accountOfRow } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides } from '../../presenton/deck-responses.ts'
import { deckGone } from '../../presenton/decks.ts'
import { findRevision } from '../statements/revisions.ts'

export interface ReadSlidesOptions {
  database: Pick<Database, 'query'>
  presenton: Pick<Presenton, 'readDeck'>
}

export interface DeckAtRevision {
  revision: number
  slides: DeckSlides['slides']
}

export type ReadSlides = ReturnType<typeof createReadSlides>

/** How often the deck is read again because it changed in between. */
const maxReads = 3

export function createReadSlides({ database, presenton }: ReadSlidesOptions) {
  /**
   * The slides, and a revision that is not later than them: a change based on them is refused if it
   * is not based on the present deck.
   *
   * @throws Problem NOT_FOUND, NOT_READY, UPSTREAM_REJECTED (the deck is gone), UPSTREAM_…
   */
  return async function readSlides(
    own: { userId: string; id: string },
    signal: AbortSignal,
  ): Promise<DeckAtRevision> {
    let found = await findFinished(own)
    for (let reads = 1; ; reads += 1) {
      const { deckId, revision } = found
      const account = accountOfRow({ ...own, account: found.account })
      const { slides } = await presenton
        .readDeck({ account, signal, deckId })
        .catch((error: unknown) => {
          throw deckGone(error)
        })
      found = await findFinished(own)
      if (found.revision === revision || reads === maxReads) return { revision, slides }
    }
  }

  async function findFinished(own: { userId: string; id: string }) {
    const found = await findRevision(database, own)
    if (!found) throw new Problem('NOT_FOUND')
    const { deckId, revision, account } = found
    if (deckId === null || revision === null) throw new Problem('NOT_READY')
    return { deckId, revision, account }
  }
}
