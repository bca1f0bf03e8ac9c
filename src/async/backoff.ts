// Waiting between attempts: exponential, with full jitter, so that many runs that failed together
// do not come back together.

export interface Backoff {
  baseMs: number
  maxMs: number
}

/**
 * The wait before attempt `n + 1` (n from 1), in ms: uniformly between 0 and min(max, base ·
 * 2^(n-1)).
 */
export function backoffMs(
  n: number,
  { baseMs, maxMs }: Backoff,
  random: () => number = Math.random,
): number {
  return Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(30, n - 1)))
}

/**
 * `ms` give or take up to a quarter, for everything that many processes or browsers would else do
 * in step.
 */
export function jitterMs(ms: number, random: () => number = Math.random): number {
  return Math.round(ms * (0.75 + random() * 0.5))
}
