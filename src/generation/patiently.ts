// Reads, or writes again, what costs nothing: through outages, and in spite of a few failures. It
// burns no attempt of the stage.

import { Problem } from '../domain/problem.ts'
import { decide } from './attempts.ts'
import type { Context } from './context.ts'
import { waitBeforeRetry } from './wait-before-retry.ts'

/**
 * The result of `act`, which may be called again. After three failures, and after one that no wait
 * helps, it rejects.
 */
export async function patiently<Result>(
  context: Context,
  act: () => Promise<Result>,
): Promise<Result> {
  const { signal, random, logger } = context
  for (let failed = 0, waits = 0, limitWaitedMs = 0; ; ) {
    try {
      return await act()
    } catch (error) {
      signal.throwIfAborted()
      // The bounds of create, which also only asks upstream's database.
      const { problem, ...decision } = decide({
        stage: 'create',
        error,
        failures: { create: failed },
        waits,
        limitWaitedMs,
        random,
      })
      const err = problem.cause ?? problem
      logger.warn({ code: problem.code, next: decision.next, err }, 'reading the deck failed')
      if (decision.next === 'end' || decision.next === 'restart') throw problem
      if (decision.next === 'wait') waits += 1
      else if (decision.next === 'start-again') limitWaitedMs += decision.waitMs
      else failed += 1
      await waitBeforeRetry(problem, decision.waitMs, context)
    }
  }
}

/** As a stage throws it: no attempt is left. */
export function withoutAttempts(problem: Problem): Problem {
  const { code, detail, cause, modelFailure } = problem
  return new Problem(code, { failure: 'final', detail, cause, modelFailure })
}
