// Patience with a database that is away: what a run does there is repeated until it is back, or
// until nobody waits for it any more.
import { backoffMs } from '../async/backoff.ts'
import { sleep } from '../async/signals.ts'
import { type Database, isDatabaseAway } from './connection.ts'

const backoff = { baseMs: 100, maxMs: 2_000 }

/**
 * Repeats `work` while it fails because the database is away; any other error passes. Rejects with
 * the signal's reason when that aborts meanwhile. `attempt` counts from 1: from 2 on it may be that
 * an earlier one went through and only its answer was lost.
 */
export async function retryDuringOutage<T>(
  signal: AbortSignal,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt)
    } catch (error) {
      if (!isDatabaseAway(error)) throw error
      await sleep(100 + backoffMs(attempt, backoff), signal)
    }
  }
}

/** The same database for whom nothing is lost by waiting: its statements must be safe to repeat. */
export function createOutageTolerantDatabase(
  database: Pick<Database, 'query'>,
  signal: AbortSignal,
): Pick<Database, 'query'> {
  return {
    query: (text, values, timeoutMs) =>
      retryDuringOutage(signal, () => database.query(text, values, timeoutMs)),
  }
}
