// How much of each quota a user has used.
import type { Queryable } from '../database/connection.ts'
import { countEdits } from '../database/edit-quota.ts'
import { countUsed, type Quotas } from '../database/quota-usage.ts'
import { readSourceUsage } from '../database/source-usage.ts'

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

/** 0 means unlimited. */
export interface SourceLimits {
  maxSources: number
  maxTotalBytes: number
}

const unlimited: SourceLimits = { maxSources: 0, maxTotalBytes: 0 }
const mib = 1024 * 1024

export async function readUsage(
  database: Queryable,
  userId: string,
  quotas: Quotas & { editsPerDay?: number },
  { maxSources, maxTotalBytes }: SourceLimits = unlimited,
) {
  const users = new Map([[userId, 0]])
  const used = (await countUsed(database, users, { quotas, countAll: true })).get(userId)
  if (!used) throw new Error('The count of used quotas returned no row.')
  const edits = await countEdits(database, userId)
  const kept = await readSourceUsage(database, userId)
  return {
    perHour: allowance(quotas.perHour, used.hour.count, used.hourResetsAt),
    perDay: allowance(quotas.perDay, used.day.count, used.dayResetsAt),
    total: allowance(quotas.total, used.total, null),
    totalSlides: allowance(quotas.totalSlides, used.slides, null),
    editsPerDay: allowance(quotas.editsPerDay ?? 0, edits.count, edits.resetsAt),
    sources: allowance(maxSources, kept.count, null),
    sourcesMib: allowance(maxTotalBytes / mib, Math.ceil(kept.bytes / mib), null),
  }
}

function allowance(limit: number, used: number, resetsAt: Date | null): Allowance {
  if (limit === 0) return { limit: null, used, remaining: null, resetsAt }
  return { limit, used, remaining: Math.max(0, limit - used), resetsAt }
}
