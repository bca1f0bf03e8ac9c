// How much of each quota a user has used.
import type { Queryable } from '../database/connection.ts'
import { countUsed, type Quotas } from '../database/quota-usage.ts'

/** One quota as its user sees it. */
export interface Allowance {
  /** Null: unlimited. */
  limit: number | null
  used: number
  /** Null: unlimited. */
  remaining: number | null
  /** When the oldest use leaves the window; null when nothing is used or there is no window. */
  resetsAt: Date | null
}

export type Usage = Awaited<ReturnType<typeof readUsage>>

export async function readUsage(database: Queryable, userId: string, quotas: Quotas) {
  const users = new Map([[userId, 0]])
  const used = (await countUsed(database, users, { quotas, countAll: true })).get(userId)
  if (!used) throw new Error('The count of used quotas returned no row.')
  return {
    perHour: allowance(quotas.perHour, used.hour.count, used.hourResetsAt),
    perDay: allowance(quotas.perDay, used.day.count, used.dayResetsAt),
    total: allowance(quotas.total, used.total, null),
    totalSlides: allowance(quotas.totalSlides, used.slides, null),
  }
}

function allowance(limit: number, used: number, resetsAt: Date | null): Allowance {
  if (limit === 0) return { limit: null, used, remaining: null, resetsAt }
  return { limit, used, remaining: Math.max(0, limit - used), resetsAt }
}
