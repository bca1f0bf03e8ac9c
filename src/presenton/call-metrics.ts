// Measures each operation once, including its retries, and labels its outcome.

import { Problem } from '../domain/problem.ts'
import type { Message } from './messages.ts'

export type CallOutcome =
  | 'ok'
  | 'unavailable'
  | 'credentials'
  | 'limit'
  | 'fault'
  | 'timeout'
  | 'rejected'
  | 'gone'
  | 'bad-file'
  | 'cancelled'

export interface CallMeasurement {
  operation: string
  outcome: CallOutcome
  ms: number
}

interface CallMetricsOptions {
  onCall: ((call: CallMeasurement) => void) | undefined
  now(): number
}

export type CallMetrics = ReturnType<typeof createCallMetrics>

export function createCallMetrics({ onCall, now }: CallMetricsOptions) {
  return {
    async measure<T>(operation: string, act: () => Promise<T>): Promise<T> {
      const startMs = now()
      let outcome: CallOutcome = 'ok'
      try {
        return await act()
      } catch (error) {
        outcome = outcomeOf(error)
        throw error
      } finally {
        onCall?.({ operation, outcome, ms: now() - startMs })
      }
    },

    /**
     * Measures a stream from its first read to `complete`, its last message. A consumer that stops
     * earlier makes the outcome 'cancelled'.
     */
    async *measureStream(
      operation: string,
      batches: AsyncGenerator<Message[]>,
    ): AsyncGenerator<Message[]> {
      const startMs = now()
      let outcome: CallOutcome = 'cancelled'
      try {
        for await (const batch of batches) {
          if (batch.some(({ type }) => type === 'complete')) outcome = 'ok'
          yield batch
        }
      } catch (error) {
        outcome = outcomeOf(error)
        throw error
      } finally {
        onCall?.({ operation, outcome, ms: now() - startMs })
      }
    },
  }
}

function outcomeOf(error: unknown): CallOutcome {
  if (!(error instanceof Problem) || error.failure === undefined) return 'cancelled'
  if (error.code === 'UPSTREAM_TIMEOUT') return 'timeout'
  const outcomes = {
    outage: 'unavailable',
    credentials: 'credentials',
    limit: 'limit',
    fault: 'fault',
    final: 'rejected',
    gone: 'gone',
    'bad-file': 'bad-file',
  } as const
  return outcomes[error.failure]
}
