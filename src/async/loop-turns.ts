// Fair shares of the event loop for work that comes in any amount, such as the bytes of many fast
// upstreams. Without them one turn of the loop would handle all that has arrived, and timers,
// leases and other people's requests would wait for it.

export interface TurnOptions {
  /** How long work may go on in one turn of the loop. One piece of work must be short beside it. */
  maxMs?: number
  now?: () => number
  /** Calls back in the next turn of the loop. */
  nextTurn?: (callback: () => void) => void
}

export type TakeLoopTurn = ReturnType<typeof createLoopTurns>

export function createLoopTurns({
  maxMs = 8,
  now = () => performance.now(),
  nextTurn = setImmediate,
}: TurnOptions = {}) {
  const waiting: (() => void)[] = []
  /** When work began in this turn; undefined before its first piece. */
  let startedMs: number | undefined

  function begin(): void {
    startedMs = now()
    nextTurn(onNextTurn)
  }

  /** In each turn the one that has waited longest goes on. */
  function onNextTurn(): void {
    startedMs = undefined
    const next = waiting.shift()
    if (!next) return
    begin()
    next()
  }

  /**
   * Called before each piece of work. Undefined: go on now. Else wait for the promise, which
   * resolves in a later turn, in the order of the calls.
   */
  return function takeLoopTurn(): Promise<void> | undefined {
    if (startedMs === undefined) begin()
    else if (waiting.length > 0 || now() - startedMs >= maxMs) {
      return new Promise((resolve) => waiting.push(resolve))
    }
    return undefined
  }
}

/** The turns of this process: all who share its event loop must use the same. */
export const takeLoopTurn: TakeLoopTurn = createLoopTurns()
