// One change of a deck: under its lock, with an intent before upstream is asked to write, and
// checked against what upstream then has. See docs/decisions/0017 for what a crash leaves.

import type { Database, Queryable } from '../../database/connection.ts'
import { finishChange, lockLease } from '../../database/deck-changes.ts'
import { findOwnedImages, recordImages } from '../../database/images.ts'
import { giveBackSlides, settleSlides } from '../../database/ledger.ts'
import { Problem } from '../../domain/problem.ts'
import type { IfMatch } from '../../http/preconditions.ts'
import { accountOfRow } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides, UpstreamSlide } from '../../presenton/deck-responses.ts'
import { deckGone } from '../../presenton/decks.ts'
import { fault, mayHaveStarted, type ResponseCause } from '../../presenton/failures.ts'
import { findImagePaths } from '../../presenton/image-paths.ts'
import { isDeckAsExpected, slideDigests } from '../../presenton/slide-digest.ts'
import { type createDeckLocks, deckLockLost, type HeldDeck } from './deck-locks.ts'
import type { DeckAtRevision } from './read-slides.ts'

export interface ChangeDeckOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<Presenton, 'readDeck' | 'writeSlides'>
  locks: ReturnType<typeof createDeckLocks>
}

/** What a change makes of the deck. */
export interface PlannedChange {
  slides: UpstreamSlide[]
  /** The slide whose members are replaced. */
  savedIndex?: number
  /** The new slide. */
  addedIndex?: number
  /** An earlier attempt of the same request has already written it. */
  isWritten?: boolean
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
  /** Writes, and reads after a write whose response was lost. */
  async function write(deck: HeldDeck, before: DeckSlides, planned: PlannedChange) {
    const { deckId } = deck
    const account = accountOfRow(deck)
    // A caller who leaves must not leave a deck in an unknown state.
    const { signal } = new AbortController()
    const { slides, savedIndex } = planned
    const theme = before.presentation.theme
    const slideCount = slides.length === before.slides.length ? undefined : slides.length
    const options = { account, signal, deckId, theme, slideCount }
    const after = await presenton
      .writeSlides({ ...options, slides, changedIndex: savedIndex })
      .catch(async (error: unknown) => {
        if (!mayHaveStarted(error)) throw error
        const found = await presenton.readDeck({ account, signal, deckId }).catch(() => undefined)
        if (found && !isSameDeck(found, before)) return found
        const { status } = ((error as Problem).cause ?? {}) as Partial<ResponseCause>
        // A failure that was answered has stored nothing; a lost one may still do so.
        if (found && status !== undefined) throw error
        throw new UnknownOutcome(error)
      })
    return restoreOthers({ ...options, planned, after })
  }

  /** The slides beside the changed one must be as they were. They are written once more if not. */
  async function restoreOthers({
    planned: { slides, savedIndex, addedIndex },
    after,
    ...options
  }: Omit<Parameters<Presenton['writeSlides']>[0], 'slides'> & {
    planned: PlannedChange
    after: DeckSlides
  }): Promise<DeckSlides> {
    const { theme } = options
    const expected = { slides, theme, changedIndex: savedIndex ?? addedIndex }
    if (isDeckAsExpected(after, expected)) return after
    const restored = await presenton.writeSlides({ ...options, slides }).catch((error: unknown) => {
      throw new UnknownOutcome(error)
    })
    if (isDeckAsExpected(restored, expected)) return restored
    throw new UnknownOutcome(fault('upstream changed more of the deck than it was asked to'))
  }

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
      const next = await finishChange(client, deck.lock, {
        digests: slideDigests(after),
        digestsBefore: slideDigests(before),
        slideCount,
      })
      if (next === undefined) throw deckLockLost()
      const statements = [
        // Also what a change before it reserved, whose holder has crashed.
        settleSlides(after.slides.length),
        ...(images.length === 0 ? [] : [recordImages(deck.userId, images)]),
      ]
      for (const { text, values } of statements) await client.query(text, [deck.id, ...values])
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
      const after = await write(deck, before, planned).catch((error: unknown) => {
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

/** Upstream may or may not have stored the change. The cause says what went wrong. */
class UnknownOutcome extends Error {
  constructor(cause: unknown) {
    super('Whether the deck has changed is not known.', { cause })
  }
}

function isSameDeck(deck: DeckSlides, other: DeckSlides): boolean {
  return isDeckAsExpected(deck, { slides: other.slides, theme: undefined })
}
