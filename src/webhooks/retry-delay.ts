// How long a failed delivery waits for its next attempt.

export interface RetryRules {
  /** The delay before each further attempt. */
  retryMs: readonly number[]
  random?: () => number
}

export interface FailedAttempt {
  /** Of this delivery, before this one. */
  failures: number
  /** When the receiver wants the next attempt. */
  retryAfterMs?: number | undefined
}

/** ± 20 %, unless the receiver names a time. Undefined after the last attempt. */
export function retryMsAfter(
  { failures, retryAfterMs }: FailedAttempt,
  { retryMs, random = Math.random }: RetryRules,
): number | undefined {
  const delayMs = retryMs[failures]
  if (delayMs === undefined) return undefined
  return retryAfterMs ?? Math.round(delayMs * (0.8 + 0.4 * random()))
}
