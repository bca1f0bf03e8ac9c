// The memory for bodies that are being read, per user and in total. Without a limit the slow
// uploads of one user, each held for up to a minute, could fill the memory. A body without a
// reservation is not read, so its bytes stay with the sender.

import { Problem } from '../../domain/problem.ts'

const mib = 1024 * 1024

export interface BodyBudgetLimits {
  /** Bytes of one user. The largest possible body must fit. */
  perUser: number
  /** Bytes of all users. */
  total: number
  /** Reservations of one user that wait. */
  waitingPerUser: number
  waitingTotal: number
  /** How long a reservation may wait. */
  timeoutMs: number
}

const defaultLimits: BodyBudgetLimits = {
  perUser: 8 * mib,
  total: 256 * mib,
  waitingPerUser: 16,
  waitingTotal: 1_000,
  timeoutMs: 15_000,
}
const retryAfterSeconds = 5

export type BodyBudget = ReturnType<typeof createBodyBudget>

/** Memory for one body, granted or waited for. */
export interface Reservation {
  /** Rejects with RATE_LIMIT_EXCEEDED when too many wait, or after the timeout. */
  granted: Promise<void>
  /** Returns the memory, or stops waiting. Repeated calls do nothing. */
  release: () => void
}

interface Waiting {
  user: string
  bytes: number
  grant: () => void
}

export function createBodyBudget(limits: BodyBudgetLimits = defaultLimits) {
  const usedByUser = new Map<string, number>()
  let usedTotal = 0
  /** Small bodies first; equal ones in order of arrival. */
  const waiting: Waiting[] = []

  const usedBy = (user: string) => usedByUser.get(user) ?? 0

  function fits({ user, bytes }: Waiting): boolean {
    return usedBy(user) + bytes <= limits.perUser && usedTotal + bytes <= limits.total
  }

  function addUsage(user: string, bytes: number): void {
    usedTotal += bytes
    const used = usedBy(user) + bytes
    if (used > 0) usedByUser.set(user, used)
    else usedByUser.delete(user)
  }

  function grantWaiting(): void {
    for (let i = 0; i < waiting.length; ) {
      const next = waiting[i]
      if (next && fits(next)) {
        waiting.splice(i, 1)
        next.grant()
      } else i += 1
    }
  }

  function enqueue(entry: Waiting): void {
    const after = waiting.findIndex(({ bytes }) => bytes > entry.bytes)
    waiting.splice(after === -1 ? waiting.length : after, 0, entry)
  }

  return {
    /** Reserves memory for a body of at most `bytes`. */
    reserve(user: string, bytes: number): Reservation {
      let state: 'waiting' | 'granted' | 'released' = 'waiting'
      let timer: NodeJS.Timeout | undefined
      let resolve = () => {}
      let reject = (_problem: Problem) => {}
      const granted = new Promise<void>((...settle) => ([resolve, reject] = settle))
      const entry: Waiting = { user, bytes, grant }

      function grant() {
        clearTimeout(timer)
        state = 'granted'
        addUsage(user, bytes)
        resolve()
      }
      function release() {
        clearTimeout(timer)
        if (state === 'granted') addUsage(user, -bytes)
        else if (waiting.includes(entry)) waiting.splice(waiting.indexOf(entry), 1)
        state = 'released'
        grantWaiting()
      }
      function refuse() {
        release()
        reject(new Problem('RATE_LIMIT_EXCEEDED', { retryAfterSeconds }))
      }

      const waitingOfUser = waiting.filter((other) => other.user === user).length
      const isQueueFull =
        waitingOfUser >= limits.waitingPerUser || waiting.length >= limits.waitingTotal
      if (fits(entry)) grant()
      else if (isQueueFull) refuse()
      else {
        enqueue(entry)
        timer = setTimeout(refuse, limits.timeoutMs)
      }
      return { granted, release }
    },
  }
}
