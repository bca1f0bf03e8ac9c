// When a body is parsed. Parsing holds the loop, and everybody waits for it; so between two turns
// of the loop only so much is parsed, users take turns, small bodies go before large ones, and
// after a large one the loop belongs to all others for a while.

interface Waiting {
  bytes: number
  work: () => void
}

export type ParseQueue = ReturnType<typeof createParseQueue>

/** Up to this size, a body is small. A summary of some thousand words is. */
export const smallBodyBytes = 64 * 1024
/** So many bytes of small bodies are parsed between two turns of the loop. */
const turnBytes = 2 * smallBodyBytes
/**
 * After a large body no other large one for so many times as long as it took. What is done with it
 * takes about as long again.
 */
const restFactor = 8

export function createParseQueue() {
  const small = createLane()
  const large = createLane()
  let isPlanned = false
  let isResting = false
  let restedAtMs = 0

  function plan(): void {
    if (isPlanned) return
    const restMs = large.isEmpty() ? 0 : restedAtMs - performance.now()
    if (!small.isEmpty() || (!large.isEmpty() && restMs <= 0)) {
      isPlanned = true
      setImmediate(turn)
    } else if (!large.isEmpty() && !isResting) {
      isResting = true
      setTimeout(() => {
        isResting = false
        plan()
      }, Math.ceil(restMs))
    }
  }

  function turn(): void {
    for (let left = turnBytes; left > 0; ) {
      const next = small.take()
      if (!next) break
      left -= next.bytes
      next.work()
    }
    const beganMs = performance.now()
    const next = beganMs >= restedAtMs ? large.take() : undefined
    if (next) {
      next.work()
      const tookMs = performance.now() - beganMs
      restedAtMs = beganMs + tookMs * (1 + restFactor)
    }
    isPlanned = false
    plan()
  }

  return {
    /**
     * Runs `work`, the parsing of so many bytes for this user, when it is its turn; its error is
     * passed on.
     */
    run<T>({ user, bytes }: { user: string; bytes: number }, work: () => T): Promise<T> {
      const done = new Promise<T>((resolve, reject) => {
        const settle = () => {
          try {
            resolve(work())
          } catch (error) {
            reject(error)
          }
        }
        const lane = bytes > smallBodyBytes ? large : small
        lane.add(user, { bytes, work: settle })
      })
      plan()
      return done
    },
  }
}

/** Who waits, taken in rotation of the users. */
function createLane() {
  const byUser = new Map<string, Waiting[]>()

  return {
    isEmpty: () => byUser.size === 0,
    add(user: string, waiting: Waiting): void {
      const own = byUser.get(user)
      if (own) own.push(waiting)
      else byUser.set(user, [waiting])
    },
    take(): Waiting | undefined {
      for (const [user, own] of byUser) {
        byUser.delete(user)
        const next = own.shift()
        if (own.length > 0) byUser.set(user, own)
        return next
      }
      return undefined
    },
  }
}
