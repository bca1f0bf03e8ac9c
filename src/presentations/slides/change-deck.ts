// One change of a deck: under its lock, with an intent before upstream is asked to write, and
// checked against what upstream then has. See docs/decisions/0017 for what a crash leaves.

import type { Database, Queryable } from '../../database/connection.ts'
import { lockLease } from '../../database/deck-changes.ts'
import { findOwnedImages } from '../../database/images.ts'
import { giveBackSlides } from '../../database/ledger.ts'
import { Problem } from '../../domain/problem.ts'
import type { IfMatch } from '../../http/preconditions.ts'
import { accountOfRow } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides, UpstreamSlide } from '../../presenton/deck-responses.ts'
import { deckGone } from '../../presenton/decks.ts'
import { findImagePaths } from '../../presenton/image-paths.ts'
import { slideDigests } from '../../presenton/slide-digest.ts'
import type { createDeckLocks, HeldDeck } from './deck-locks.ts'
import type { DeckAtRevision } from './read-slides.ts'
import { recordChange } from './record-change.ts'
import { UnknownOutcome } from './unknown-outcome.ts'
import { createWriteChange, type PlannedChange } from './write-change.ts'

export interface ChangeDeckOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<Presenton, 'readDeck' | 'writeSlides'>
  locks: ReturnType<typeof createDeckLocks>
}

export interface DeckChange {
  own: { userId: string; id: string }
  ifMatch: IfMatch | undefined
  /** Aborts when the caller leaves. A write under way goes on. */
  signal: AbortSignal
  waitMs?: number
  /** Joins the transaction that takes the lock. */
  onTaken?: (client: Queryable) => Promise<void>
  /** @throws Problem for what the deck does not allow */
  plan: (before: DeckSlides, deck: HeldDeck) => PlannedChange | Promise<PlannedChange>
  /** Notes the intent, with what has to be reserved before. */
  reserve?: (planned: PlannedChange, deck: HeldDeck) => Promise<void>
  /** Joins the transaction that ends the change well. */
  onFinished?: (client: Queryable, planned: PlannedChange) => Promise<void>
}

export type ChangeDeck = ReturnType<typeof createChangeDeck>

export function createChangeDeck({ database, presenton, locks }: ChangeDeckOptions) {
  const writeChange = createWriteChange(presenton)

  async function finish(
    change: DeckChange,
    deck: HeldDeck,
    { before, after, planned }: { before: DeckSlides; after: DeckSlides; planned: PlannedChange },
  ): Promise<DeckAtRevision> {
    // Also after a change whose outcome was unknown.
    const isResized = after.slides.length !== deck.slideCount
    const slideCount = isResized ? after.slides.length : undefined
    const images = await findReadableImages(deck, before, after.slides[planned.savedIndex ?? -1])
    const revision = await database.transaction(async (client) => {
      if (!(await lockLease(client, deck.id))) throw new Problem('NOT_FOUND')
      const next = await recordChange(client, deck, {
        digests: slideDigests(after),
        digestsBefore: slideDigests(before),
        slideCount,
        // Also what a change before it reserved, whose holder has crashed.
        settledSlides: after.slides.length,
        images,
      })
      await change.onFinished?.(client, planned)
      return next
    })
    deck.close()
    return { revision, slides: after.slides }
  }

  /** Those of the saved slide that the user may read already: naming an image gives no access. */
  async function findReadableImages(
    { userId }: HeldDeck,
    before: DeckSlides,
    saved: UpstreamSlide | undefined,
  ): Promise<string[]> {
    const paths = [...findImagePaths(saved)]
    if (paths.length === 0) return []
    const known = findImagePaths(before.slides)
    const owned = await findOwnedImages(database, { userId, paths })
    return paths.filter((path) => known.has(path) || owned.has(path))
  }

  /**
   * Makes the change and returns the deck after it.
   *
   * @throws Problem NOT_FOUND, CONFLICT, REVISION_CONFLICT, UPSTREAM_…; those of `plan` and
   * `reserve`
   */
  return async function changeDeck(change: DeckChange): Promise<DeckAtRevision> {
    const { own, ifMatch, signal, waitMs, onTaken, plan, reserve } = change
    const deck = await locks.take({
      own,
      ifMatch,
      signal,
      ...(waitMs !== undefined && { waitMs }),
      ...(onTaken && { work: onTaken }),
    })
    let isUnknown = false
    let slideCount: number | undefined
    try {
      const { deckId } = deck
      const before = await presenton.readDeck({ account: accountOfRow(deck), signal, deckId })
      const planned = await plan(before, deck)
      if (planned.isWritten) return await finish(change, deck, { before, after: before, planned })
      await (reserve ? reserve(planned, deck) : deck.noteIntent())
      deck.checkHeld()
      slideCount = before.slides.length
      isUnknown = true
      const after = await writeChange(deck, before, planned).catch((error: unknown) => {
        isUnknown = error instanceof UnknownOutcome
        throw error instanceof UnknownOutcome ? error.cause : error
      })
      return await finish(change, deck, { before, after, planned })
    } catch (error) {
      if (reserve && slideCount !== undefined && !isUnknown)
        await giveBackSlides(database, deck.id, slideCount)
      await deck.release({ isUnknown })
      throw deckGone(error)
    }
  }
}
