// Looks for the slides that an earlier attempt left upstream before slides are paid for again. A
// deck that lacks any is given up for a fresh one: two streams of one deck doubled its slides.

import { Problem } from '../domain/problem.ts'
import { type DeckSlides, hasAllSlides } from '../presenton/deck-responses.ts'
import type { Context } from './context.ts'
import { patiently } from './patiently.ts'
import { withNewDeck, workingDeckOf } from './run-state.ts'

/**
 * The deck with all its slides. Undefined when the run has to continue at create with its saved
 * outlines, also after three failed reads. It costs nothing, so it burns no attempt.
 *
 * @throws Problem that ends the run.
 */
export async function recoverSlides(context: Context): Promise<DeckSlides | undefined> {
  const { run, presenton, account, signal } = context
  const deckId = workingDeckOf(run)
  if (!deckId || !run.outlines) throw new Error('Only a prepared deck has been streamed.')
  const deck = await patiently(context, () =>
    presenton.readDeck({ account, signal, deckId }),
  ).catch((error: unknown) => {
    signal.throwIfAborted()
    if (!(error instanceof Problem) || error.failure === 'final') throw error
    return undefined
  })
  if (deck && hasAllSlides(deck, run.outlines.length)) return deck
  await context.checkpoint(withNewDeck(run, null))
  return undefined
}
