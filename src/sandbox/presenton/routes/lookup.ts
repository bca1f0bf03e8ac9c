/**
 * Finds the deck that a request is about, or the answer when there is none: 422 for no UUID, 404
 * for an unknown one.
 */

import type { Deck } from '../deck.ts'
import { detail, type Reply, unprocessable } from '../reply.ts'
import type { Exchange, World } from '../world.ts'
import { flawOfId } from './body.ts'

export function findDeck(
  world: World,
  exchange: Exchange,
  id: unknown,
  loc: (string | number)[],
): { deck: Deck } | { reply: Reply } {
  const flaw = flawOfId(id, loc, world.features())
  if (flaw) return { reply: unprocessable([flaw]) }
  exchange.call.deckId = String(id)
  const deck = world.decks.get(String(id).toLowerCase())
  return deck ? { deck } : { reply: detail(404, 'Presentation not found') }
}

export function findDeckInPath(world: World, exchange: Exchange) {
  return findDeck(world, exchange, exchange.params.id, ['path', 'id'])
}
