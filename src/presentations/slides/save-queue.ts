// Saves of one deck in this process wait for each other here, in their order, rather than for the
// lock in the database. An editor sends one for each slide at once.

import { sleep } from '../../async/signals.ts'
import { Problem } from '../../domain/problem.ts'

const maxWaitMs = 10_000

export function createSaveQueue({ waitMs = maxWaitMs } = {}) {
  /** The last save of each deck that has one under way. It never rejects. */
  const last = new Map<string, Promise<void>>()

  /** @throws Problem CONFLICT after ten seconds; what `act` throws */
  return async function inTurn<Result>(id: string, act: () => Promise<Result>): Promise<Result> {
    const before = last.get(id)
    let end: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const mine = Promise.all([before, ended]).then(() => undefined)
    last.set(id, mine)
    void mine.then(() => {
      if (last.get(id) === mine) last.delete(id)
    })
    try {
      if (before && !(await isOver(before))) {
        const cause = new Error('Another change of the deck takes too long.')
        throw new Problem('CONFLICT', { cause, retryAfterSeconds: 1 })
      }
      return await act()
    } finally {
      end()
    }
  }

  async function isOver(before: Promise<void>): Promise<boolean> {
    const timeout = new AbortController()
    const late = sleep(waitMs, timeout.signal).then(
      () => false,
      () => false,
    )
    const isFirst = await Promise.race([before.then(() => true), late])
    timeout.abort()
    return isFirst
  }
}
