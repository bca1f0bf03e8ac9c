// Work that arrives piece by piece and is done in groups: while one group is under way, what
// arrives gathers for the next. Nothing waits for company, so a lone piece is done at once, and
// under load many share one transaction.
import { Problem } from '../domain/problem.ts'

export interface BatcherOptions<Piece, Outcome> {
  /** Does all of them; the outcomes in their order. A rejection is everybody's. */
  process: (pieces: Piece[]) => Promise<(Outcome | Problem)[]>
  /**
   * A group that is under way for longer than this holds up nobody: one more may begin beside it.
   * Without, each waits for the one before.
   */
  slowBatchMs?: number
}

interface PendingItem<Piece, Outcome> {
  piece: Piece
  tooLate: NodeJS.Timeout
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
}

const maxSize = 100
// Whoever waited longer is told to come back: behind a database that is silent, each group takes as
// long as its deadline.
const maxWaitMs = 5_000
const maxWaiting = 2_000
const maxAtOnce = 2

export function createBatcher<Piece, Outcome>({
  process,
  slowBatchMs,
}: BatcherOptions<Piece, Outcome>) {
  let waiting: PendingItem<Piece, Outcome>[] = []
  let working = 0
  /** Of those, how many have used up the patience. */
  let slow = 0

  const mayBegin = () => working - slow < 1 && working < maxAtOnce

  /**
   * Resolves with the piece's outcome. @throws Problem its own, or DATABASE_UNAVAILABLE when it
   * waited too long
   */
  function add(piece: Piece): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (waiting.length >= maxWaiting) return reject(tooLate())
      const one = { piece, resolve, reject, tooLate: setTimeout(leave, maxWaitMs) }
      function leave() {
        waiting = waiting.filter((other) => other !== one)
        reject(tooLate())
      }
      waiting.push(one)
      if (mayBegin()) void drain()
    })
  }

  async function drain(): Promise<void> {
    working += 1
    // In the next turn, so that what arrived in this one is together from the start.
    await Promise.resolve()
    while (waiting.length > 0 && working - slow <= 1) await withPatience(nextBatch())
    working -= 1
  }

  async function withPatience(group: typeof waiting): Promise<void> {
    let isSlow = false
    const timer = slowBatchMs === undefined ? undefined : setTimeout(onSlow, slowBatchMs)
    function onSlow() {
      isSlow = true
      slow += 1
      if (waiting.length > 0 && mayBegin()) void drain()
    }
    await settle(group)
    clearTimeout(timer)
    if (isSlow) slow -= 1
  }

  function nextBatch() {
    const group = waiting.slice(0, maxSize)
    waiting = waiting.slice(maxSize)
    for (const one of group) clearTimeout(one.tooLate)
    return group
  }

  async function settle(group: typeof waiting): Promise<void> {
    if (group.length === 0) return
    try {
      const outcomes = await process(group.map(({ piece }) => piece))
      for (const [index, { resolve, reject }] of group.entries()) {
        const outcome = outcomes[index]
        if (outcome instanceof Problem) reject(outcome)
        else if (outcome !== undefined) resolve(outcome)
        else reject(new Error('A piece of work had no outcome.'))
      }
    } catch (error) {
      const [only] = group
      if (group.length === 1 && only) return only.reject(error)
      // One of them may be the cause: alone, each gets what is its own.
      if (error instanceof Problem && error.code === 'DATABASE_UNAVAILABLE')
        for (const { reject } of group) reject(error)
      else await Promise.all(group.map((one) => settle([one])))
    }
  }

  return { add }
}

function tooLate(): Problem {
  return new Problem('DATABASE_UNAVAILABLE', { retryAfterSeconds: 5 })
}
