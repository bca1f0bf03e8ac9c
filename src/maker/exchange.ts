// What a handler of the table is given, and what it gives back.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { UpstreamAccount } from '../presenton/account.ts'
import type { OwnDeck } from './own-decks.ts'
import type { MakerSession } from './statements/sessions.ts'

export interface Exchange {
  session: MakerSession
  /** The user. */
  owner: string
  /** The user's account at upstream. */
  account: UpstreamAccount
  /** The one deck that the request names; undefined where its row has no ids. */
  deck: OwnDeck | undefined
  /** Ids of decks in them are canonical, and lead to the present deck. */
  params: Record<string, string>
  query: Record<string, string>
  /** Parsed JSON; undefined where the row takes none. */
  body: unknown
  /** Aborts when the browser leaves. */
  signal: AbortSignal
  request: FastifyRequest
  reply: FastifyReply
}

/**
 * Handles a request. What it returns is sent as JSON, with the status of `reply`; a handler that
 * has sent the response itself returns `reply`. A Problem becomes an error in upstream's form. In a
 * row that goes upstream it may send nothing: then the request is passed on.
 */
export type Handler = (exchange: Exchange) => unknown

/** By the name in the table. */
export type Handlers = Readonly<Record<string, Handler>>

/** The deck of a row with ids. */
export function deckOf({ deck }: Exchange): OwnDeck {
  if (!deck) throw new Error('The row of this handler names no deck.')
  return deck
}
