// Room for the bodies that are being read. What has come of a body is held until all of it is
// there, up to a minute and 8 MiB each: without a bound, one user's slow posts would fill the
// memory. Who finds no room is not read from meanwhile, so the bytes stay with the sender.

import { Problem } from '../../domain/problem.ts'

const mib = 1024 * 1024

export interface BodyBudgetLimits {
  /** Bytes of one user's bodies. The largest body there is must fit in. */
  perUser: number
  /** Bytes of everybody's. */
  inAll: number
  /** Bodies of one user that wait for room. */
  waitingPerUser: number
  waitingInAll: number
  patienceMs: number
}

const usual: BodyBudgetLimits = {
  perUser: 8 * mib,
  inAll: 256 * mib,
  waitingPerUser: 16,
  waitingInAll: 1_000,
  patienceMs: 15_000,
}
const retryAfterSeconds = 5

export type BodyBudget = ReturnType<typeof createBodyBudget>

/** A body's place, taken or waited for. */
export interface Reservation {
  /** Rejects with RATE_LIMIT_EXCEEDED when too many wait, or it has waited too long. */
  granted: Promise<void>
  /** Gives it back, or waits no longer. To be called once or more. */
  release: () => void
}

interface Waiting {
  user: string
  bytes: number
  enter: () => void
}

export function createBodyBudget(bounds: BodyBudgetLimits = usual) {
  const taken = new Map<string, number>()
  let takenInAll = 0
  /** Small before large; of equals, who came first. */
  const waiting: Waiting[] = []

  const takenBy = (user: string) => taken.get(user) ?? 0

  function fits({ user, bytes }: Waiting): boolean {
    return takenBy(user) + bytes <= bounds.perUser && takenInAll + bytes <= bounds.inAll
  }

  function change({ user, bytes }: Waiting, sign: 1 | -1): void {
    takenInAll += sign * bytes
    const left = takenBy(user) + sign * bytes
    if (left > 0) taken.set(user, left)
    else taken.delete(user)
  }

  function letIn(): void {
    for (let i = 0; i < waiting.length; ) {
      const next = waiting[i]
      if (next && fits(next)) {
        waiting.splice(i, 1)
        next.enter()
      } else i += 1
    }
  }

  return {
    /** Asks for room for a body of at most so many bytes. */
    take(user: string, bytes: number): Reservation {
      let state: 'waiting' | 'in' | 'left' = 'waiting'
      let timer: NodeJS.Timeout | undefined
      let resolve = () => {}
      let reject = (_refusal: Problem) => {}
      const granted = new Promise<void>((...settle) => ([resolve, reject] = settle))
      const own: Waiting = { user, bytes, enter }

      function enter() {
        clearTimeout(timer)
        state = 'in'
        change(own, 1)
        resolve()
      }
      function release() {
        clearTimeout(timer)
        if (state === 'in') change(own, -1)
        else if (waiting.includes(own)) waiting.splice(waiting.indexOf(own), 1)
        state = 'left'
        letIn()
      }
      function refuse() {
        release()
        reject(new Problem('RATE_LIMIT_EXCEEDED', { retryAfterSeconds }))
      }

      const waitingOfUser = waiting.filter((other) => other.user === user).length
      if (fits(own)) enter()
      else if (waitingOfUser >= bounds.waitingPerUser || waiting.length >= bounds.waitingInAll)
        refuse()
      else {
        const after = waiting.findIndex((other) => other.bytes > bytes)
        waiting.splice(after === -1 ? waiting.length : after, 0, own)
        timer = setTimeout(refuse, bounds.patienceMs)
      }
      return { granted, release }
    },
  }
}
