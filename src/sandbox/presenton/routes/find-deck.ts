/**
 * Finds the deck of a request, or the error reply: 422 for a malformed id, 404 for an unknown one.
 */

import type { Deck } from '../deck.ts'
import { errorDetail, type Reply, validationFailed } from '../reply.ts'
import type { Exchange, StandInState } from '../state.ts'
import { idError } from './validation.ts'

export function findDeck(
  state: StandInState,
  exchange: Exchange,
  id: unknown,
  loc: (string | number)[],
): { deck: Deck } | { reply: Reply } {
  const error = idError(id, loc, state.features())
  if (error) return { reply: validationFailed([error]) }
  exchange.journalEntry.deckId = String(id)
  const deck = state.decks.get(String(id).toLowerCase())
  return deck ? { deck } : { reply: errorDetail(404, 'Presentation not found') }
}

export function findDeckInPath(state: StandInState, exchange: Exchange) {
  return findDeck(state, exchange, exchange.params.id, ['path', 'id'])
}
