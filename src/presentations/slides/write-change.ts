// Writes a planned change to upstream, and looks at the deck after a write whose response was lost.

import type { Problem } from '../../domain/problem.ts'
import { accountOfRow } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides, UpstreamSlide } from '../../presenton/deck-responses.ts'
import { fault, mayHaveStarted, type ResponseCause } from '../../presenton/failures.ts'
import { isDeckAsExpected } from '../../presenton/slide-digest.ts'
import type { HeldDeck } from './deck-locks.ts'
import { UnknownOutcome } from './unknown-outcome.ts'

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

export function createWriteChange(presenton: Pick<Presenton, 'readDeck' | 'writeSlides'>) {
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

  /** Writes, and reads after a write whose response was lost. */
  return async function writeChange(
    deck: HeldDeck,
    before: DeckSlides,
    planned: PlannedChange,
  ): Promise<DeckSlides> {
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
}

function isSameDeck(deck: DeckSlides, other: DeckSlides): boolean {
  return isDeckAsExpected(deck, { slides: other.slides, theme: undefined })
}
