// Saves of upstream's own interface, in its own form. Like any change of a deck they take its lock,
// note an intent before upstream is asked to write, and count by digests (docs/decisions/0017).
// Unlike the API's changes they need not read the deck first: what was saved last is known.

import { giveBackSlides } from '../../database/ledger.ts'
import { Problem } from '../../domain/problem.ts'
import { accountOfRow } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { deckGone } from '../../presenton/decks.ts'
import { type CheckSaveOptions, createCheckSave } from './check-save.ts'
import type { DeckLocks, HeldDeck } from './deck-locks.ts'
import { createKnownDecks, imagesOf, type KnownDeck } from './known-decks.ts'
import {
  checkSameDeck,
  createLockForSave,
  type LockedForSave,
  type SaveRequest,
} from './lock-for-save.ts'
import { createFindOwn } from './own-images.ts'
import type { Saved, SavedSlide } from './plan-save.ts'
import { createRecordSave, type RecordSaveOptions } from './record-save.ts'
import { createSaveQueue } from './save-queue.ts'
import { UnknownOutcome } from './unknown-outcome.ts'
import { type CheckedSave, writeSave } from './write-save.ts'

export interface SaveDeckOptions extends RecordSaveOptions, Omit<CheckSaveOptions, 'findOwn'> {
  presenton: Pick<Presenton, 'readDeck' | 'saveSlide' | 'saveDeck' | 'readUpstreamId'>
  locks: DeckLocks
}

export interface SaveKnownRequest {
  userId: string
  /** In its one spelling. */
  deckId: string
  slide: SavedSlide
  /** The hash of the session. */
  session: string
}

export type SaveDeck = ReturnType<typeof createSaveDeck>

export function createSaveDeck(options: SaveDeckOptions) {
  const { database, presenton, locks, quotas, maxSlides, imageHosts } = options
  const knownDecks = createKnownDecks()
  const checkSave = createCheckSave({ findOwn: createFindOwn(options), maxSlides, imageHosts })
  const { lock, lockAsKnown } = createLockForSave({ locks, knownDecks, checkSave })
  const { noteIntent, finishSave } = createRecordSave({ database, quotas })
  const inTurn = createSaveQueue()

  async function checkAnew(request: SaveRequest, deck: HeldDeck): Promise<CheckedSave> {
    checkSameDeck(deck, request)
    const known = knownDecks.learn(deck, await presenton.readDeck(callOf(deck)))
    return checkSave(request.own.userId, request.save, known)
  }

  async function saveIn(
    { deck, hasIntent, ...locked }: LockedForSave,
    request: SaveRequest,
  ): Promise<Saved['response']> {
    let isUnknown = false
    let reserved: KnownDeck | undefined
    try {
      const checked = locked.checked ?? (await checkAnew(request, deck))
      if (!hasIntent) await noteIntent(deck, checked.planned)
      deck.checkHeld()
      if (checked.planned.grownTo !== undefined) reserved = checked.known
      isUnknown = true
      const saved = await writeSave(presenton, callOf(deck), checked).catch((error: unknown) => {
        isUnknown = error instanceof UnknownOutcome
        throw error instanceof UnknownOutcome ? error.cause : error
      })
      const revision = await finishSave(deck, checked, saved, request.title)
      deck.close()
      knownDecks.remember(deck.deckId, knownAfter(checked.known, request, saved, revision))
      return saved.response
    } catch (error) {
      // After any error, the next save looks at the deck itself.
      knownDecks.forget(deck.deckId)
      if (reserved && !isUnknown) await giveBackSlides(database, deck.id, reserved.ids.length)
      await deck.release({ isUnknown })
      throw goneOf(request, error)
    }
  }

  return {
    /**
     * Saves, and returns what upstream answered.
     *
     * @throws Problem NOT_FOUND (also a slide that the deck does not have), CONFLICT (not
     * completed), VALIDATION_FAILED, QUOTA_EXHAUSTED, UPSTREAM_…
     */
    save: (request: SaveRequest): Promise<Saved['response']> =>
      inTurn(request.own.id, async () => saveIn(await lock(request, always()), request)),

    /**
     * Saves a slide of a deck that was saved here before, for a session that is not checked yet:
     * the statement that takes the lock says whether all of it still holds. Undefined: it does not,
     * and nothing was done.
     */
    async saveKnown({
      userId,
      deckId,
      slide,
      session,
    }: SaveKnownRequest): Promise<Saved['response'] | undefined> {
      const own = knownDecks.find(deckId)?.own
      if (own?.userId !== userId) return undefined
      const request: SaveRequest = { own, deckId, save: { kind: 'slide', slide } }
      return inTurn(own.id, async () => {
        const locked = await lockAsKnown(request, session)
        return locked && saveIn(locked, request)
      })
    },
  }
}

/** A tab that closes must not leave a deck in an unknown state, nor lose what it has sent. */
const always = () => new AbortController().signal

const callOf = (deck: HeldDeck) => ({
  account: accountOfRow(deck),
  deckId: deck.deckId,
  signal: always(),
})

function knownAfter(
  { own, account, theme }: KnownDeck,
  { save }: SaveRequest,
  { ids, digests, response }: Saved,
  revision: number,
): KnownDeck {
  const given = 'theme' in save ? save.theme : undefined
  const images = imagesOf(response)
  return { own, revision, account, ids, digests, images, theme: given ?? theme }
}

/** Upstream says the same of a slide that it has lost as of a deck. */
function goneOf({ save: { kind } }: SaveRequest, error: unknown): unknown {
  const isGone = error instanceof Problem && error.failure === 'gone'
  return isGone && kind === 'slide' ? new Problem('NOT_FOUND', { cause: error }) : deckGone(error)
}
