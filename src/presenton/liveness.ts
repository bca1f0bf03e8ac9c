// Checks that upstream responds at all, with a route that is public in every version and cheap.

import type { Breaker } from './breaker.ts'
import { paths } from './dialect.ts'
import { toProblem } from './failures.ts'
import type { Requests } from './requests.ts'

interface LivenessOptions {
  requests: Requests
  breaker: Breaker
  timeoutMs: number
  now(): number
}

export type Liveness = ReturnType<typeof createLiveness>

export function createLiveness({ requests, breaker, timeoutMs, now }: LivenessOptions) {
  const request = (signal: AbortSignal) =>
    ({ routeKind: 'other', path: paths.authStatus, timeoutMs, signal, isCheap: true }) as const

  /** Rejects with a Problem unless upstream responds. Its result decides a half-open circuit. */
  async function check(signal: AbortSignal): Promise<void> {
    await requests.fetchText(request(signal))
  }

  return {
    check,

    /** Whether upstream responds, in any state of the circuit breaker. */
    async responds(signal: AbortSignal): Promise<boolean> {
      try {
        const { status } = await requests.fetchHeadUncounted(request(signal))
        return status < 500
      } catch {
        return false
      }
    },

    /**
     * As `check`, but not counted while the circuit is closed: frequent probes must not outweigh
     * the calls of runs.
     */
    async ping(signal: AbortSignal): Promise<void> {
      if (breaker.state() !== 'closed') return check(signal)
      const response = await requests.fetchHeadUncounted(request(signal))
      if (response.status >= 500) throw toProblem(response, { routeKind: 'other', nowMs: now() })
    },
  }
}
