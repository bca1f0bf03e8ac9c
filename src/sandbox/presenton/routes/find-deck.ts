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
  return deck && isOwn(deck, exchange, state)
    ? { deck }
    : { reply: errorDetail(404, 'Presentation not found') }
}

/** No user sees the decks of others, and the admin sees no deck of a user. */
export function isOwn(
  { owner }: Pick<Deck, 'owner'>,
  { user }: Pick<Exchange, 'user'>,
  { accounts }: Pick<StandInState, 'accounts'>,
): boolean {
  return (owner ?? accounts.adminId) === user.id
}

/** What upstream notes of a new deck. */
export const ownerOf = ({ user }: Exchange, { features }: StandInState): string | null =>
  features().auth === 'users' && user.role === 'user' ? user.id : null

export function findDeckInPath(state: StandInState, exchange: Exchange) {
  return findDeck(state, exchange, exchange.params.id, ['path', 'id'])
}
