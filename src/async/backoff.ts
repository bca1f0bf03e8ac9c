// Delays between attempts, with jitter: runs that failed together must not retry together.

export interface Backoff {
  baseMs: number
  maxMs: number
}

/**
 * The delay before attempt `n + 1` (n from 1), in ms: uniform between 0 and
 * min(maxMs, baseMs · 2^(n-1)), which is called full jitter.
 */
export function backoffMs(
  n: number,
  { baseMs, maxMs }: Backoff,
  random: () => number = Math.random,
): number {
  return Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(30, n - 1)))
}

/** `ms` ± 25 %, for timers that many processes or browsers would otherwise share. */
export function jitterMs(ms: number, random: () => number = Math.random): number {
  return Math.round(ms * (0.75 + random() * 0.5))
}
