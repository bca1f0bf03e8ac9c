// Counts what has been used of the quotas. Raw SQL: one statement counts the sliding windows and
// the totals of several users, and when a full window has capacity again.
import type { Queryable } from './connection.ts'

/** For each user, except `systemPerDay`; 0 means unlimited. */
export interface Quotas {
  perHour: number
  perDay: number
  total: number
  totalSlides: number
  systemPerDay: number
}

/** The reservations of a sliding window. */
export interface QuotaWindow {
  seconds: number
  count: number
  /**
   * Seconds until the nth newest reservation leaves the window, by n. A window with limit 5 accepts
   * one more when the 5th newest leaves, two more when the 4th newest leaves, and so on.
   */
  expiries: Record<string, number> | null
}

export interface UsedQuotas {
  hour: QuotaWindow
  day: QuotaWindow
  hourResetsAt: Date | null
  dayResetsAt: Date | null
  total: number
  slides: number
}

/** `expiries` of a window, for as many as are requested. The row is `accepted_at` and its `nth`. */
const expiries = (interval: string, limit: string, requested: string) =>
  `json_object_agg(nth, extract(epoch from accepted_at + interval '${interval}' - now()))
     filter (where accepted_at > now() - interval '${interval}'
       and nth <= ${limit} and nth > ${limit} - ${requested})`

// $1 users, $2 requested by each, $3 perHour, $4 perDay, $5 hours to look back, $6 count totals
const usedByUser = `
  select u.id as "userId", windows.*, totals.*
  from unnest($1::text[], $2::int[]) as u(id, requested)
  cross join lateral (
    select
      count(*) filter (where accepted_at > now() - interval '1 hour') as "hourCount",
      count(*) as "dayCount",
      ${expiries('1 hour', '$3::int', 'u.requested')} as "hourExpiries",
      ${expiries('1 day', '$4::int', 'u.requested')} as "dayExpiries",
      min(accepted_at) filter (where accepted_at > now() - interval '1 hour') + interval '1 hour'
        as "hourResetsAt",
      min(accepted_at) + interval '1 day' as "dayResetsAt"
    from (
      select accepted_at, row_number() over (order by accepted_at desc) as nth
      from gateway.ledger
      where user_id = u.id and accepted and accepted_at > now() - make_interval(hours => $5)
    ) newest_first
  ) windows
  cross join lateral (
    select count(*) as total, coalesce(sum(slides), 0) as slides
    from gateway.ledger where user_id = u.id and kept and $6
  ) totals`

interface UsedRow {
  userId: string
  hourCount: number
  dayCount: number
  hourExpiries: QuotaWindow['expiries']
  dayExpiries: QuotaWindow['expiries']
  hourResetsAt: Date | null
  dayResetsAt: Date | null
  total: number
  slides: number
}

/**
 * What the users (id -> how many presentations they request) have used. Quotas without a limit are
 * not counted, because there may be many rows; `countAll` counts those, too.
 */
export async function countUsed(
  client: Queryable,
  users: ReadonlyMap<string, number>,
  { quotas, countAll = false }: { quotas: Quotas; countAll?: boolean },
): Promise<Map<string, UsedQuotas>> {
  const { perHour, perDay, total, totalSlides } = quotas
  const hours = countAll || perDay > 0 ? 24 : perHour > 0 ? 1 : 0
  const countTotals = countAll || total > 0 || totalSlides > 0
  const rows = await client.query<UsedRow>(usedByUser, [
    [...users.keys()],
    [...users.values()],
    perHour,
    perDay,
    hours,
    countTotals,
  ])
  return new Map(rows.map((row) => [row.userId, toUsedQuotas(row)]))
}

function toUsedQuotas(row: UsedRow): UsedQuotas {
  const { hourResetsAt, dayResetsAt, total, slides } = row
  return {
    hour: { seconds: 3_600, count: row.hourCount, expiries: row.hourExpiries },
    day: { seconds: 86_400, count: row.dayCount, expiries: row.dayExpiries },
    hourResetsAt,
    dayResetsAt,
    total,
    slides,
  }
}

// $1 systemPerDay, $2 requested
const usedBySystem = `
  select count(*) as count, ${expiries('1 day', '$1', '$2::int')} as expiries
  from (
    select accepted_at, row_number() over (order by accepted_at desc) as nth
    from gateway.ledger where accepted and accepted_at > now() - interval '1 day'
  ) newest_first`

/** What all users together have used of `systemPerDay`. */
export async function countSystemUsed(
  client: Queryable,
  { requested, limit }: { requested: number; limit: number },
): Promise<QuotaWindow> {
  const [row] = await client.query<Omit<QuotaWindow, 'seconds'>>(usedBySystem, [limit, requested])
  return { seconds: 86_400, count: row?.count ?? 0, expiries: row?.expiries ?? null }
}
