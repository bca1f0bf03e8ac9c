// How a run that waits gives its slot to others. Its worker asks for the slot; the run leaves it at
// once if it has waited long enough in a row, else at a later wait.

import { anySignal, sleep } from '../async/signals.ts'
import { maxSlotWaitMs } from '../domain/stage.ts'

/** Thrown by a wait that ends because others need the slot. */
export class SlotGivenUp extends Error {
  /** How much of the wait was left. */
  readonly leftMs: number

  constructor(leftMs: number) {
    super('The run gives its slot to others.')
    this.leftMs = leftMs
  }
}

export function createSlotWaits({
  signal,
  sleepFor = sleep,
}: {
  signal: AbortSignal
  sleepFor?: typeof sleep | undefined
}) {
  const givenUp = new AbortController()
  let waitedMs = 0
  let isWanted = false
  let isWaiting = false

  const hasWaitedLong = () => waitedMs > maxSlotWaitMs

  return {
    /**
     * Waits before another attempt.
     *
     * @throws SlotGivenUp when others need the slot
     */
    async wait(ms: number): Promise<void> {
      const dueMs = performance.now() + ms
      const throwIfGivenUp = () => {
        if (givenUp.signal.aborted) throw new SlotGivenUp(Math.max(0, dueMs - performance.now()))
      }
      waitedMs += ms
      if (isWanted && hasWaitedLong()) givenUp.abort()
      throwIfGivenUp()
      isWaiting = true
      try {
        await sleepFor(ms, anySignal(signal, givenUp.signal))
      } catch (error) {
        signal.throwIfAborted()
        throwIfGivenUp()
        throw error
      } finally {
        isWaiting = false
      }
    },

    isWaiting: () => isWaiting,

    /** More than a minute in a row, the wait under way included. */
    hasWaitedLong,

    /** A stage has succeeded, so the next wait is not in a row with the last. */
    reset(): void {
      waitedMs = 0
      isWanted = false
    },

    /** Others need the slot. */
    giveUp(): void {
      isWanted = true
      if (isWaiting && hasWaitedLong()) givenUp.abort()
    },
  }
}
