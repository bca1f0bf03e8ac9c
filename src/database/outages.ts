// Retries through a database outage: a run repeats its statements until the database is back, or
// until its signal aborts.
import { backoffMs } from '../async/backoff.ts'
import { sleep } from '../async/signals.ts'
import type { Database } from './connection.ts'
import { isDatabaseUnavailable } from './database-errors.ts'

const minWaitMs = 100
const backoff = { baseMs: 100, maxMs: 2_000 }

/**
 * Repeats `work` while it fails because the database is unavailable. `attempt` counts from 1; from
 * 2 on an earlier attempt may have committed and only its response was lost.
 *
 * @throws any other error of `work`; the signal's reason when it aborts
 */
export async function retryDuringOutage<T>(
  signal: AbortSignal,
  work: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt)
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error
      await sleep(minWaitMs + backoffMs(attempt, backoff), signal)
    }
  }
}

/** The same database with retries: its statements must be safe to repeat. */
export function createOutageTolerantDatabase(
  database: Pick<Database, 'query'>,
  signal: AbortSignal,
): Pick<Database, 'query'> {
  return {
    query: (text, values, timeoutMs) =>
      retryDuringOutage(signal, () => database.query(text, values, timeoutMs)),
  }
}
