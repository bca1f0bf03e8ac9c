// Ends a body whose sender is too slow. Only the time in which we wait for the sender counts: while
// the store is busy nothing is read, and the sender can do nothing about that.

import { Problem } from '../../domain/problem.ts'

/** Less than this in one window of waiting is too slow. */
const windowMs = 20_000
const minWindowBytes = 20 * 1024

/** `timeoutMs` bounds the whole body, however fast it is. */
export function createSpeedCheck({
  timeoutMs,
  now = () => performance.now(),
}: {
  timeoutMs: number
  now?: () => number
}) {
  let waitedMs = 0
  let windowBytes = 0
  let isOver = false
  let fail: (problem: Problem) => void = () => undefined
  const deadline = setTimeout(() => {
    isOver = true
    fail(new Problem('REQUEST_TIMEOUT'))
  }, timeoutMs)

  /** A window that was fast enough is followed by another. */
  function checkWindow(): void {
    if (waitedMs < windowMs) return
    if (windowBytes < minWindowBytes) throw new Problem('REQUEST_TIMEOUT')
    waitedMs = 0
    windowBytes = 0
  }

  return {
    add(bytes: number): void {
      windowBytes += bytes
      checkWindow()
    },

    /** Settles as `read` does, or rejects with REQUEST_TIMEOUT. */
    async measure<T>(read: Promise<T>): Promise<T> {
      if (isOver) throw new Problem('REQUEST_TIMEOUT')
      const since = now()
      const tooSlow = new Promise<never>((_, reject) => {
        fail = reject
      })
      tooSlow.catch(() => undefined)
      const timer = setTimeout(() => {
        if (windowBytes < minWindowBytes) fail(new Problem('REQUEST_TIMEOUT'))
      }, windowMs - waitedMs)
      try {
        return await Promise.race([read, tooSlow])
      } finally {
        clearTimeout(timer)
        waitedMs += now() - since
      }
    },

    stop: () => clearTimeout(deadline),
  }
}
