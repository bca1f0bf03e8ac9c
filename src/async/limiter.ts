// Lets a limited number of tasks work at the same time; the others wait in their order.

export function createLimiter(maxActive: number) {
  let active = 0
  const waiting: (() => void)[] = []

  /** Passes the place on, or frees it. */
  function leave(): void {
    const next = waiting.shift()
    if (next) next()
    else active -= 1
  }

  return {
    /** Rejects with the signal's reason if it aborts during the wait. */
    async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
      signal.throwIfAborted()
      if (active < maxActive) active += 1
      else {
        await new Promise<void>((resolve, reject) => {
          function enter() {
            signal.removeEventListener('abort', giveUp)
            resolve()
          }
          function giveUp() {
            waiting.splice(waiting.indexOf(enter), 1)
            reject(signal.reason)
          }
          waiting.push(enter)
          signal.addEventListener('abort', giveUp, { once: true })
        })
      }
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
