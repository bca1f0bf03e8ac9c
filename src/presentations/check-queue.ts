// The limits of the queue.

import { Problem } from '../domain/problem.ts'
import type { QueueCounts } from './statements/insert.ts'

export interface QueueLimits {
  maxQueued: number
  maxQueuedPerUser: number
}

// About the time of one run: until a slot is free the queue does not move.
const fullQueueRetrySeconds = 30

/** @throws Problem QUEUE_FULL: 429 when the user's own queue is full, 503 when the whole queue is */
export function checkQueue(
  { own, all }: QueueCounts,
  userId: string,
  { maxQueued, maxQueuedPerUser }: QueueLimits,
): void {
  const retryAfterSeconds = fullQueueRetrySeconds
  if ((own.get(userId) ?? 0) >= maxQueuedPerUser) {
    throw new Problem('QUEUE_FULL', { retryAfterSeconds })
  }
  if (all >= maxQueued) throw new Problem('QUEUE_FULL', { status: 503, retryAfterSeconds })
}
