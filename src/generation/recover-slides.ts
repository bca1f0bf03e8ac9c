// Looks for the slides that an earlier attempt left upstream before slides are paid for again. A
// deck that lacks any is given up for a fresh one: two streams of one deck doubled its slides.

import { type DeckSlides, hasAllSlides } from '../presenton/deck-responses.ts'
import { decide } from './attempts.ts'
import type { Context } from './context.ts'
import { waitBeforeRetry } from './wait-before-retry.ts'

/**
 * The deck with all its slides. Undefined when the run has to continue at create with its saved
 * outlines, also after three failed reads. It costs nothing, so it burns no attempt.
 *
 * @throws Problem that ends the run.
 */
export async function recoverSlides(context: Context): Promise<DeckSlides | undefined> {
  const { run, presenton, account, signal, random, logger } = context
  const { deckId } = run
  if (!deckId || !run.outlines) throw new Error('Only a prepared deck has been streamed.')
  for (let failed = 0, waits = 0, limitWaitedMs = 0; ; ) {
    try {
      const deck = await presenton.readDeck({ account, signal, deckId })
      if (hasAllSlides(deck, run.outlines.length)) return deck
      break
    } catch (error) {
      signal.throwIfAborted()
      // The bounds of create, which also only asks upstream's database.
      const failures = { create: failed }
      const { problem, ...decision } = decide({
        stage: 'create',
        error,
        failures,
        waits,
        limitWaitedMs,
        random,
      })
      const err = problem.cause ?? problem
      logger.warn({ code: problem.code, next: decision.next, err }, 'reading the deck failed')
      if (problem.failure === 'final') throw problem
      if (decision.next === 'end' || decision.next === 'restart') break
      if (decision.next === 'wait') waits += 1
      else if (decision.next === 'start-again') limitWaitedMs += decision.waitMs
      else failed += 1
      await waitBeforeRetry(problem, decision.waitMs, context)
    }
  }
  await context.checkpoint({ deckId: null, deckPrepared: false, deckStreamed: false })
  return undefined
}
