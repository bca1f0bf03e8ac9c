// What a call came to, for the metrics: one word for each way to end, whether it was a call or a
// stream.

import { Problem } from '../domain/problem.ts'
import type { Message } from './messages.ts'

export type Outcome =
  | 'ok'
  | 'unavailable'
  | 'fault'
  | 'timeout'
  | 'rejected'
  | 'gone'
  | 'bad-file'
  | 'cancelled'

export interface ObservedCall {
  operation: string
  outcome: Outcome
  ms: number
}

export type CallMetrics = ReturnType<typeof createCallMetrics>

export function createCallMetrics(
  onCall: ((call: ObservedCall) => void) | undefined,
  now: () => number,
) {
  return {
    async call<T>(operation: string, act: () => Promise<T>): Promise<T> {
      const since = now()
      let outcome: Outcome = 'ok'
      try {
        return await act()
      } catch (error) {
        outcome = outcomeOf(error)
        throw error
      } finally {
        onCall?.({ operation, outcome, ms: now() - since })
      }
    },

    /**
     * From the first read to `complete`, which is the last thing read; a consumer that leaves
     * before it has cancelled.
     */
    async *stream(
      operation: string,
      batches: AsyncGenerator<Message[]>,
    ): AsyncGenerator<Message[]> {
      const since = now()
      let outcome: Outcome = 'cancelled'
      try {
        for await (const batch of batches) {
          if (batch.some(({ type }) => type === 'complete')) outcome = 'ok'
          yield batch
        }
      } catch (error) {
        outcome = outcomeOf(error)
        throw error
      } finally {
        onCall?.({ operation, outcome, ms: now() - since })
      }
    },
  }
}

function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof Problem) || error.failure === undefined) return 'cancelled'
  if (error.code === 'UPSTREAM_TIMEOUT') return 'timeout'
  const outcomes = {
    outage: 'unavailable',
    fault: 'fault',
    final: 'rejected',
    gone: 'gone',
    'bad-file': 'bad-file',
  } as const
  return outcomes[error.failure]
}
