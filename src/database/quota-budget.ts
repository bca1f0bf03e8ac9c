// What users may still reserve in one transaction, where several requests are checked in turn.
import { Problem } from '../domain/problem.ts'
import type { Queryable } from './connection.ts'
import {
  countSystemUsed,
  countUsed,
  type Quotas,
  type QuotaWindow,
  type UsedQuotas,
} from './quota-usage.ts'

/** What one presentation reserves. */
export interface Demand {
  userId: string
  slides: number
}

/**
 * Reads the budget of these users (id -> how many presentations they request at most). The caller
 * holds the admission lock, so the budget is valid until its transaction ends.
 */
export async function readQuotaBudget(
  client: Queryable,
  users: ReadonlyMap<string, number>,
  quotas: Quotas,
) {
  const { perHour, perDay, total, totalSlides, systemPerDay } = quotas
  const hasUserLimits = perHour > 0 || perDay > 0 || total > 0 || totalSlides > 0
  const used = hasUserLimits
    ? await countUsed(client, users, { quotas })
    : new Map<string, UsedQuotas>()
  const requested = [...users.values()].reduce((sum, n) => sum + n, 0)
  const system =
    systemPerDay > 0 ? await countSystemUsed(client, { requested, limit: systemPerDay }) : undefined

  /** Taken from this budget, not in the ledger yet. */
  const taken = new Map<string, { count: number; slides: number }>()
  let takenByAll = 0
  const takenBy = (userId: string) => taken.get(userId) ?? { count: 0, slides: 0 }

  /**
   * @throws Problem QUOTA_EXHAUSTED when waiting does not help; QUOTA_EXCEEDED with the Retry-After
   * after which the windows have capacity
   */
  function check({ userId, slides }: Demand): void {
    const user = used.get(userId)
    const own = takenBy(userId)
    if (user && isAbove(total, user.total + own.count + 1)) throw new Problem('QUOTA_EXHAUSTED')
    if (user && isAbove(totalSlides, user.slides + own.slides + slides)) {
      throw new Problem('QUOTA_EXHAUSTED')
    }
    const waits = [
      secondsUntilCapacity(perHour, user?.hour, own.count),
      secondsUntilCapacity(perDay, user?.day, own.count),
      secondsUntilCapacity(systemPerDay, system, takenByAll),
    ].filter((seconds) => seconds !== undefined)
    if (waits.length === 0) return
    const retryAfterSeconds = Math.max(1, Math.ceil(Math.max(...waits)))
    throw new Problem('QUOTA_EXCEEDED', { retryAfterSeconds })
  }

  /** Takes the demand from the budget: the checks that follow find that much less. */
  function take({ userId, slides }: Demand): void {
    const own = takenBy(userId)
    taken.set(userId, { count: own.count + 1, slides: own.slides + slides })
    takenByAll += 1
  }

  return { check, take }
}

const isAbove = (limit: number, wanted: number) => limit > 0 && wanted > limit

/** Undefined when the window has capacity for one more now. */
function secondsUntilCapacity(
  limit: number,
  window: QuotaWindow | undefined,
  taken: number,
): number | undefined {
  if (limit === 0 || !window || window.count + taken < limit) return undefined
  // Without an expiry the limit is full of demands of this transaction.
  return window.expiries?.[limit - taken] ?? window.seconds
}
