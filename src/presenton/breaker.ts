// The circuit breaker in front of upstream. Deadlines are the caller's: opossum's own timeout would
// abort all calls at once. Failures are: no connection, 5xx, timeouts, stalls and cut streams, but
// not 4xx, nor a limit of the model that upstream reports with a 5xx.

import CircuitBreaker from 'opossum'
import { Problem } from '../domain/problem.ts'
import { outage } from './failures.ts'

export interface BreakerOptions {
  errorPercent: number
  minCalls: number
  windowMs: number
  resetMs: number
}

export type BreakerState = 'closed' | 'open' | 'half-open'

export type Breaker = ReturnType<typeof createBreaker>

type Act = () => Promise<unknown>

interface BreakerHooks {
  onStateChange(state: BreakerState): void
  now(): number
}

export function createBreaker(options: BreakerOptions, { onStateChange, now }: BreakerHooks) {
  let openedAtMs = 0
  const circuit: CircuitBreaker<[Act, AbortSignal], unknown> = new CircuitBreaker(
    (act: Act, _signal: AbortSignal) => act(),
    {
      timeout: false,
      errorThresholdPercentage: options.errorPercent,
      volumeThreshold: options.minCalls,
      rollingCountTimeout: options.windowMs,
      resetTimeout: options.resetMs,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      // opossum counts a filtered error as a success. A cancellation must not close a half-open
      // circuit, so it is filtered only in the other states.
      errorFilter: (...[error, , signal]: unknown[]): boolean =>
        isOfOthers(error) || (isCancellation(error, signal as AbortSignal) && !circuit.halfOpen),
    },
  )
  circuit.on('open', () => {
    openedAtMs = now()
    onStateChange('open')
  })
  circuit.on('halfOpen', () => onStateChange('half-open'))
  circuit.on('close', () => onStateChange('closed'))

  const state = (): BreakerState =>
    circuit.opened ? 'open' : circuit.halfOpen ? 'half-open' : 'closed'

  /** The failure of a call that may not start, with the seconds until the circuit is half-open. */
  function notAllowed(cause: unknown) {
    const leftMs = state() === 'open' ? options.resetMs - (now() - openedAtMs) : 0
    return outage(cause, Math.max(1, Math.ceil(leftMs / 1000)))
  }

  function recordFailure(failure: unknown): void {
    if (!circuit.closed || isOfOthers(failure)) return
    const signal = new AbortController().signal
    circuit.fire(() => Promise.reject(failure), signal).catch(() => undefined)
  }

  async function runCheap<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await act()
    } catch (error) {
      if (!isCancellation(error, signal)) recordFailure(error)
      throw error
    }
  }

  return {
    state,

    /**
     * Runs `act` if the circuit allows it; else rejects with UPSTREAM_UNAVAILABLE. Each rejection
     * counts as a failure, except with the reason of `signal`. The success of a cheap call does not
     * count in a closed circuit: it must not hide that the expensive calls fail.
     */
    async run<T>(act: () => Promise<T>, signal: AbortSignal, { isCheap = false } = {}): Promise<T> {
      if (isCheap && circuit.closed) return runCheap(act, signal)
      try {
        return (await circuit.fire(act, signal)) as T
      } catch (error) {
        const { code } = (error ?? {}) as { code?: unknown }
        if (code === 'EOPENBREAKER' || code === 'ESHUTDOWN') throw notAllowed(error)
        throw error
      }
    },

    /**
     * Counts a failure after a good start: a stream that stalled or was cut. Only a closed circuit
     * counts it, so it never takes the one call of a half-open circuit.
     */
    recordFailure,

    close: () => circuit.shutdown(),
  }
}

/** Upstream responded, only its model did not; or the store that has what is uploaded. */
function isOfOthers(error: unknown): boolean {
  return (
    error instanceof Problem && (error.failure === 'limit' || error.code === 'STORAGE_UNAVAILABLE')
  )
}

function isCancellation(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && error === signal.reason
}
