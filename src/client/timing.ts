// Waits between attempts.

export interface Timing {
  /** Resolves after `ms`; rejects with the signal's reason when it aborts. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** From 0 to 1. */
  random: () => number
}

export const defaultTiming: Timing = { sleep, random: Math.random }

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    function finish() {
      signal?.removeEventListener('abort', abort)
      resolve()
    }
    function abort() {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(finish, ms)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

const baseMs = 500
const maxMs = 15_000

/** The wait before a further attempt, after `failures` in a row: exponential, half of it jitter. */
export function backoffMs(failures: number, { random }: Pick<Timing, 'random'>): number {
  const fullMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 10))
  return Math.round(fullMs * (0.5 + random() / 2))
}

/** A wait that the gateway asked for, a little longer, so that clients do not return together. */
export function jitterMs(ms: number, { random }: Pick<Timing, 'random'>): number {
  return Math.round(ms * (1 + random() / 5))
}
