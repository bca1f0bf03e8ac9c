// The circuit breaker in front of upstream. It decides only whether a call may go out; deadlines
// are the caller's, and it never aborts a call (opossum's own timeout would abort all of them at
// once). What counts as a failure: no connection, 5xx, timeout, stall, cut; not a 4xx.

import CircuitBreaker from 'opossum'
import { unavailable } from './failures.ts'

export interface BreakerOptions {
  errorPercent: number
  minCalls: number
  windowMs: number
  resetMs: number
}

export type BreakerState = 'closed' | 'open' | 'half-open'

export type Breaker = ReturnType<typeof createBreaker>

type Act = () => Promise<unknown>

export function createBreaker(
  options: BreakerOptions,
  { onState, now }: { onState?: ((state: BreakerState) => void) | undefined; now: () => number },
) {
  let openedAt = 0
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
      // A filtered error counts as a success and would close a half-open circuit, which our own
      // cancellation must not do.
      errorFilter: (...[error, , signal]: unknown[]): boolean =>
        isCancellation(error, signal as AbortSignal) && !circuit.halfOpen,
    },
  )
  circuit.on('open', () => {
    openedAt = now()
    onState?.('open')
  })
  circuit.on('halfOpen', () => onState?.('half-open'))
  circuit.on('close', () => onState?.('closed'))

  const state = (): BreakerState =>
    circuit.opened ? 'open' : circuit.halfOpen ? 'half-open' : 'closed'

  function refusal(error: unknown) {
    const leftMs = state() === 'open' ? options.resetMs - (now() - openedAt) : 0
    return unavailable(error, Math.max(1, Math.ceil(leftMs / 1000)))
  }

  return {
    state,

    /**
     * Runs `act` where the circuit allows it; else rejects with UPSTREAM_UNAVAILABLE. Every
     * rejection of `act` counts as a failure, save the caller's own cancellation (the reason of
     * `signal`). Half-open, one call passes and decides.
     */
    async run<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
      try {
        return (await circuit.fire(act, signal)) as T
      } catch (error) {
        const { code } = (error ?? {}) as { code?: unknown }
        if (code === 'EOPENBREAKER' || code === 'ESHUTDOWN') throw refusal(error)
        throw error
      }
    },

    /**
     * Counts a failure of something that had begun well: a stream that stalled or was cut. It never
     * uses up the probe of a half-open circuit.
     */
    count(failure: unknown): void {
      if (circuit.closed)
        circuit
          .fire(() => Promise.reject(failure), new AbortController().signal)
          .catch(() => undefined)
    },

    close: () => circuit.shutdown(),
  }
}

function isCancellation(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && error === signal.reason
}
