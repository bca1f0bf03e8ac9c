// Writes a save to upstream, and looks at the deck after a write whose response was lost.

import { isDeepStrictEqual } from 'node:util'
import { Problem } from '../../domain/problem.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides } from '../../presenton/deck-responses.ts'
import { mayHaveStarted, type ResponseCause } from '../../presenton/failures.ts'
import { slideDigests } from '../../presenton/slide-digest.ts'
import type { KnownDeck } from './known-decks.ts'
import type { Call, PlannedSave, Saved } from './plan-save.ts'
import { UnknownOutcome } from './unknown-outcome.ts'

/** A save as the deck allows it. */
export interface CheckedSave {
  known: KnownDeck
  planned: PlannedSave
  /** Images of the user that the deck has not named before. */
  images: string[]
}

export type WritePresenton = Pick<Presenton, 'readDeck' | 'saveSlide' | 'saveDeck'>

/** @throws Problem UPSTREAM_…, NOT_FOUND; UnknownOutcome */
export async function writeSave(
  presenton: WritePresenton,
  call: Call,
  { known, planned }: CheckedSave,
): Promise<Saved> {
  return planned.write(presenton, call).catch(async (error: unknown) => {
    if (!mayHaveStarted(error)) throw error
    const found = await presenton.readDeck(call).catch(() => undefined)
    const saved = found && planned.find(found)
    if (saved) return saved
    const { status } = ((error as Problem).cause ?? {}) as Partial<ResponseCause>
    // A failure that upstream told has stored nothing; a lost one may still do so.
    if (!found || !isAsKnown(found, known) || status === undefined) throw new UnknownOutcome(error)
    // So upstream responds to a new slide whose id is one of another deck.
    throw status === 500 && planned.addsIds ? new Problem('NOT_FOUND', { cause: error }) : error
  })
}

/** Not all versions show the theme of a deck. */
function isAsKnown(deck: DeckSlides, { digests, theme }: KnownDeck): boolean {
  const { theme: shown } = deck.presentation
  const hasTheme = shown === undefined || isDeepStrictEqual(shown, theme)
  return hasTheme && slideDigests(deck).join() === digests.join()
}
