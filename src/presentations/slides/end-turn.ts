// Ends a turn of the chat: what it did to the deck or to the outlines is read from upstream.

import { isDeepStrictEqual } from 'node:util'
import { type ChatTurn, deleteTurn, endUnknownTurn } from '../../database/chat-turns.ts'
import type { Database } from '../../database/connection.ts'
import { lockLease } from '../../database/deck-changes.ts'
import { settleSlides } from '../../database/ledger.ts'
import type { UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides } from '../../presenton/deck-responses.ts'
import { findImagePaths } from '../../presenton/image-paths.ts'
import { slideDigests } from '../../presenton/slide-digest.ts'
import type { OwnedPresentation } from '../start-run.ts'
import { keepOutlines, lockPresentation } from '../statements/transitions.ts'
import { createDeckLocks } from './deck-locks.ts'
import { recordChange } from './record-change.ts'

/** What a turn found when it began. */
export interface HeldTurn {
  turn: ChatTurn
  deckId: string
  /** While outlines await approval, the turn is about them. */
  outlines: string[] | undefined
}

/** Whose turn it is. */
interface TurnOwner {
  own: OwnedPresentation
  account: UpstreamAccount
}

export interface EndTurnOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<Presenton, 'readDeck' | 'readOutlines'>
  leaseMs: number
  logger: { warn: (context: object, message: string) => void }
}

export function createEndTurn({ database, presenton, leaseMs, logger }: EndTurnOptions) {
  const locks = createDeckLocks({ database, leaseMs })

  /** With the lock of the deck, so that no save comes between the read and what is noted of it. */
  async function concludeDeck(
    { own, account }: TurnOwner,
    { turn, deckId }: HeldTurn,
    before: DeckSlides,
  ): Promise<void> {
    const { signal } = new AbortController()
    const deck = await locks.take({ own, signal, passesTurns: true })
    try {
      const after = await presenton.readDeck({ account, deckId, signal })
      const slideCount = after.slides.length
      await database.transaction(async (client) => {
        if (!(await lockLease(client, own.id))) return
        if (!(await deleteTurn(client, turn))) return
        await recordChange(client, deck, {
          digests: slideDigests(after),
          digestsBefore: slideDigests(before),
          slideCount,
          isOtherTheme: !isDeepStrictEqual(after.presentation.theme, before.presentation.theme),
          settledSlides: slideCount,
          images: [...findImagePaths(after.slides)],
        })
      })
    } finally {
      await deck.release()
    }
  }

  async function concludeOutlines(
    { own, account }: TurnOwner,
    { turn, deckId, outlines }: HeldTurn,
  ): Promise<void> {
    const { signal } = new AbortController()
    const found = await presenton.readOutlines({ account, deckId, signal })
    await database.transaction(async (client) => {
      if (!(await lockLease(client, own.id))) return
      if (!(await deleteTurn(client, turn))) return
      const locked = await lockPresentation(client, own)
      const isInReview = locked.status === 'awaiting_outlines'
      if (!isInReview || !found?.length || JSON.stringify(found) === JSON.stringify(outlines))
        return
      const { text, values } = settleSlides(found.length)
      await client.query(text, [own.id, ...values])
      await keepOutlines(client, locked, found)
    })
  }

  /** Never rejects: a deck that cannot be read counts as changed. */
  return async function endTurn(
    request: TurnOwner,
    held: HeldTurn,
    before: DeckSlides | undefined,
  ): Promise<void> {
    const concluded = before ? concludeDeck(request, held, before) : concludeOutlines(request, held)
    await concluded
      .catch((error: unknown) => {
        logger.warn({ err: error }, 'a deck could not be read after a turn of the chat')
        return endUnknownTurn(database, held.turn)
      })
      // The turn expires by itself.
      .catch(() => undefined)
  }
}
