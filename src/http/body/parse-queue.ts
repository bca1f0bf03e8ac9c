// Decides when a body is parsed. Parsing blocks the event loop, so one iteration of the loop parses
// a bounded number of bytes, users alternate, small bodies precede large ones, and a pause follows
// each large one.

interface Waiting {
  bytes: number
  parse: () => void
}

export type ParseQueue = ReturnType<typeof createParseQueue>

/** A summary of some thousand words is below this size. */
export const smallBodyBytes = 64 * 1024
/** Bytes of small bodies that one iteration of the event loop parses. */
const iterationBytes = 2 * smallBodyBytes
/**
 * The pause after a large body, as a multiple of its parse time. Validating and storing a body
 * takes about the time of parsing it.
 */
const pauseFactor = 8

export function createParseQueue() {
  const small = createLane()
  const large = createLane()
  let isScheduled = false
  let isPausing = false
  let pausedUntilMs = 0

  function schedule(): void {
    if (isScheduled) return
    const pauseMs = large.isEmpty() ? 0 : pausedUntilMs - performance.now()
    if (!small.isEmpty() || (!large.isEmpty() && pauseMs <= 0)) {
      isScheduled = true
      setImmediate(parseSome)
    } else if (!large.isEmpty() && !isPausing) {
      isPausing = true
      setTimeout(() => {
        isPausing = false
        schedule()
      }, Math.ceil(pauseMs))
    }
  }

  function parseSome(): void {
    for (let bytesLeft = iterationBytes; bytesLeft > 0; ) {
      const next = small.take()
      if (!next) break
      bytesLeft -= next.bytes
      next.parse()
    }
    const startMs = performance.now()
    const next = startMs >= pausedUntilMs ? large.take() : undefined
    if (next) {
      next.parse()
      const tookMs = performance.now() - startMs
      pausedUntilMs = startMs + tookMs * (1 + pauseFactor)
    }
    isScheduled = false
    schedule()
  }

  return {
    /** Runs `parse` later, for a body of `bytes` of this user; settles with its result or error. */
    run<T>({ user, bytes }: { user: string; bytes: number }, parse: () => T): Promise<T> {
      const done = new Promise<T>((resolve, reject) => {
        const settle = () => {
          try {
            resolve(parse())
          } catch (error) {
            reject(error)
          }
        }
        const lane = bytes > smallBodyBytes ? large : small
        lane.add(user, { bytes, parse: settle })
      })
      schedule()
      return done
    },
  }
}

/** Waiting bodies, taken from one user after the other. */
function createLane() {
  const byUser = new Map<string, Waiting[]>()

  return {
    isEmpty: () => byUser.size === 0,
    add(user: string, body: Waiting): void {
      const bodies = byUser.get(user)
      if (bodies) bodies.push(body)
      else byUser.set(user, [body])
    },
    take(): Waiting | undefined {
      for (const [user, bodies] of byUser) {
        // Added again at the end, so the other users come first.
        byUser.delete(user)
        const next = bodies.shift()
        if (bodies.length > 0) byUser.set(user, bodies)
        return next
      }
      return undefined
    },
  }
}
