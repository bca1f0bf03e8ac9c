// How many messages a client may send over one connection.

export type Verdict = 'accept' | 'drop' | 'close'

const burstSeconds = 3
const maxDrops = 100
const dropWindowMs = 60_000

/** A token bucket; a client that ignores it for long is disconnected. */
export function createMessageLimit(perSecond: number, nowMs: number) {
  const burst = burstSeconds * perSecond
  let tokens = burst
  let filledAtMs = nowMs
  /** Times of the latest drops; empty for a client that keeps within the limit. */
  let drops: number[] = []

  /** Decides about a message that arrives now. */
  return function check(atMs: number): Verdict {
    const elapsedMs = Math.max(0, atMs - filledAtMs)
    tokens = Math.min(burst, tokens + (elapsedMs / 1000) * perSecond)
    filledAtMs = atMs
    if (tokens >= 1) {
      tokens -= 1
      return 'accept'
    }
    drops = drops.filter((droppedMs) => droppedMs > atMs - dropWindowMs)
    drops.push(atMs)
    return drops.length >= maxDrops ? 'close' : 'drop'
  }
}
