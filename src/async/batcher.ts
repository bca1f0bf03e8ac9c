// Batches items: while one batch is processed, new items gather for the next. A single item is
// processed at once, and under load many share one call, for example one transaction.

import { AsyncLocalStorage } from 'node:async_hooks'

export interface BatcherOptions<Item, Outcome> {
  /** Resolves with the outcomes in the order of the items; an Error rejects its item alone. */
  process: (items: Item[]) => Promise<(Outcome | Error)[]>
  /** The error for an item that could not start within five seconds, or found 2,000 waiting. */
  overloaded: () => Error
  /** Whether a rejection of `process` concerns the whole batch. Otherwise each item runs alone. */
  isSharedFailure?: (error: unknown) => boolean
  /** After this long, one more batch may run beside a slow one. Without it they run in turn. */
  slowBatchMs?: number
}

interface PendingItem<Item, Outcome> {
  item: Item
  timer: NodeJS.Timeout
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
  /** Calls a function in the asynchronous context of the caller. */
  inContext: <T>(work: () => T) => T
}

const maxBatchSize = 100
// Behind an unresponsive database each batch takes its whole deadline.
const maxWaitMs = 5_000
const maxPending = 2_000
const maxConcurrent = 2

export function createBatcher<Item, Outcome>({
  process,
  overloaded,
  isSharedFailure = () => false,
  slowBatchMs,
}: BatcherOptions<Item, Outcome>) {
  let pending: PendingItem<Item, Outcome>[] = []
  let running = 0
  /** How many of the running batches have exceeded `slowBatchMs`. */
  let slow = 0

  const canStart = () => running - slow < 1 && running < maxConcurrent

  /** Resolves with the outcome of the item; rejects with its own error or `overloaded()`. */
  function add(item: Item): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (pending.length >= maxPending) return reject(overloaded())
      const inContext = AsyncLocalStorage.snapshot()
      const entry = { item, resolve, reject, inContext, timer: setTimeout(expire, maxWaitMs) }
      function expire() {
        pending = pending.filter((other) => other !== entry)
        reject(overloaded())
      }
      pending.push(entry)
      if (canStart()) void drain()
    })
  }

  async function drain(): Promise<void> {
    running += 1
    // Items that are added in the same turn of the event loop share the first batch.
    await Promise.resolve()
    while (pending.length > 0 && running - slow <= 1) await runBatch(nextBatch())
    running -= 1
  }

  async function runBatch(batch: typeof pending): Promise<void> {
    let isSlow = false
    const timer = slowBatchMs === undefined ? undefined : setTimeout(markSlow, slowBatchMs)
    function markSlow() {
      isSlow = true
      slow += 1
      if (pending.length > 0 && canStart()) void drain()
    }
    await settle(batch)
    clearTimeout(timer)
    if (isSlow) slow -= 1
  }

  function nextBatch() {
    const batch = pending.slice(0, maxBatchSize)
    pending = pending.slice(maxBatchSize)
    for (const { timer } of batch) clearTimeout(timer)
    return batch
  }

  async function settle(batch: typeof pending): Promise<void> {
    const [first] = batch
    if (!first) return
    try {
      // A batch appears in the trace of its first item, not in that of the first batch.
      const outcomes = await first.inContext(() => process(batch.map(({ item }) => item)))
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index]
        if (outcome instanceof Error) reject(outcome)
        else if (outcome !== undefined) resolve(outcome)
        else reject(new Error('The batch has no outcome for this item.'))
      }
    } catch (error) {
      if (batch.length === 1) return first.reject(error)
      if (isSharedFailure(error)) for (const { reject } of batch) reject(error)
      else await Promise.all(batch.map((entry) => settle([entry])))
    }
  }

  return { add }
}
