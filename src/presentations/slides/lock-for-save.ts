// Locks a deck for a save, and checks the save against what is known of the deck. A deck that is as
// this process knows it needs one statement for the lock and the intent.

import { Problem } from '../../domain/problem.ts'
import type { CheckSave } from './check-save.ts'
import type { DeckLocks, HeldDeck } from './deck-locks.ts'
import type { KnownDecks } from './known-decks.ts'
import type { Save } from './plan-save.ts'
import type { CheckedSave } from './write-save.ts'

export interface SaveRequest {
  own: { userId: string; id: string }
  /** The present deck. */
  deckId: string
  save: Save
  /** Set if the presentation gets another one with it. */
  title?: string | undefined
}

export interface LockedForSave {
  deck: HeldDeck
  /** Undefined: it is to be checked against the deck as it is. */
  checked: CheckedSave | undefined
  /** Upstream may be asked to write. */
  hasIntent: boolean
}

export interface LockForSaveOptions {
  locks: DeckLocks
  knownDecks: KnownDecks
  checkSave: CheckSave
}

export function createLockForSave({ locks, knownDecks, checkSave }: LockForSaveOptions) {
  /** Undefined: the deck is not known, or the save is refused by what is known of it. */
  async function checkKnown({ own, deckId, save }: SaveRequest): Promise<CheckedSave | undefined> {
    const known = knownDecks.find(deckId)
    return known && checkSave(own.userId, save, known).catch(() => undefined)
  }

  async function takeAsKnown(
    { own, deckId }: SaveRequest,
    checked: CheckedSave | undefined,
    session?: string,
  ): Promise<LockedForSave | undefined> {
    if (!checked || checked.planned.grownTo !== undefined) return undefined
    const { revision, account, ids } = checked.known
    const asKnown = { own, deckId, account, revision, slideCount: ids.length, session }
    const deck = await locks.takeAtOnce(asKnown)
    return deck && { deck, checked, hasIntent: true }
  }

  return {
    /** Locks the deck at once if it is as known; undefined: nothing was taken. */
    lockAsKnown: async (
      request: SaveRequest,
      session: string,
    ): Promise<LockedForSave | undefined> =>
      takeAsKnown(request, await checkKnown(request), session),

    /** @throws Problem NOT_FOUND, CONFLICT (not completed) */
    async lock(request: SaveRequest, signal: AbortSignal): Promise<LockedForSave> {
      const { own, deckId } = request
      // What is refused by what is known is checked once more against the deck as it is.
      const checked = await checkKnown(request)
      const locked = await takeAsKnown(request, checked)
      if (locked) return locked
      const deck = await locks.take({ own, signal, passesTurns: true })
      const isAsKnown = deck.deckId === deckId && checked?.known.revision === deck.revision
      // Whether slides may be added is decided by the deck itself: the chat may have added some.
      const isEnough = isAsKnown && checked?.planned.grownTo === undefined
      return { deck, hasIntent: false, checked: isEnough ? checked : undefined }
    },
  }
}

/** Made again since: its slides are others, and those of the request would replace them. */
export function checkSameDeck(deck: HeldDeck, { deckId }: SaveRequest): void {
  if (deck.deckId !== deckId) throw new Problem('CONFLICT')
}
