// What an earlier start of the slides stage may have left upstream: asked for before slides are
// paid for again. A deck that lacks any of them is given up for a fresh one, for two streams of one
// deck were seen to double its slides.

import { type DeckSlides, hasAllSlides } from '../presenton/deck-responses.ts'
import { decide } from './attempts.ts'
import type { Context } from './context.ts'
import { waitBeforeRetry } from './wait-before-retry.ts'

/**
 * The deck with all its slides; or undefined, when the run is to go on at create, with the saved
 * outlines. Costs nothing, so it burns no attempt of the stage; a deck that cannot be read three
 * times is given up, too. Throws a Problem that ends the run.
 */
export async function recoverSlides(context: Context): Promise<DeckSlides | undefined> {
  const { run, presenton, account, signal, random, logger } = context
  if (!run.deckId || !run.outlines)
    throw new Error('Only a deck that was prepared has been streamed.')
  for (let failed = 0, waits = 0; ; ) {
    try {
      const deck = await presenton.readDeck({ account, signal, deckId: run.deckId })
      if (hasAllSlides(deck, run.outlines.length)) return deck
      break
    } catch (error) {
      signal.throwIfAborted()
      // Bounded as a create, the other stage that only asks upstream's database.
      const decision = decide({
        stage: 'create',
        error,
        failures: { create: failed },
        waits,
        random,
      })
      const { problem } = decision
      logger.warn(
        { code: problem.code, next: decision.next, err: problem.cause ?? problem },
        'looking for slides failed',
      )
      if (problem.failure === 'final') throw problem
      if (decision.next === 'end' || decision.next === 'restart') break
      if (decision.next === 'wait') waits += 1
      else failed += 1
      await waitBeforeRetry(problem, decision.waitMs, context)
    }
  }
  run.deckId = null
  run.deckPrepared = false
  run.deckStreamed = false
  await context.commit([], {
    presenton_presentation_id: null,
    deck_prepared: false,
    deck_streamed: false,
  })
  return undefined
}
