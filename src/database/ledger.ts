// The ledger of quotas. What is accepted is reserved in the transaction that makes its row, under the intake lock, so N allowed
// means N accepted; what ends without having cost anything is given back in the transaction that ends it.
import { Problem } from '../domain/problem.ts'
import type { Database, Queryable } from './connection.ts'
import type { Companion } from './run-log.ts'

/** Per user but for `systemPerDay`; 0 means unlimited. */
export interface Quotas {
  perHour: number
  perDay: number
  total: number
  totalSlides: number
  systemPerDay: number
}

interface Used {
  hour: number
  day: number
  total: number
  slides: number
  /** Seconds until the window has room again for one more. */
  hourFreeSeconds: number | null
  dayFreeSeconds: number | null
  hourResetsAt: Date | null
  dayResetsAt: Date | null
}

// With n of the limit used up, there is room once the oldest n - limit + 1 have left the window.
const usedQuery = `
  with accepted as (
    select accepted_at, row_number() over (order by accepted_at desc) as newest,
      accepted_at > now() - interval '1 hour' as in_hour
    from gateway.ledger where user_id = $1 and accepted and accepted_at > now() - interval '1 day'
  ), kept as (
    select count(*) as total, coalesce(sum(slides), 0) as slides from gateway.ledger where user_id = $1 and kept
  )
  select
    (select count(*) from accepted where in_hour) as hour, (select count(*) from accepted) as day, kept.total, kept.slides,
    (select extract(epoch from accepted_at + interval '1 hour' - now()) from accepted where in_hour and newest = $2) as "hourFreeSeconds",
    (select extract(epoch from accepted_at + interval '1 day' - now()) from accepted where newest = $3) as "dayFreeSeconds",
    (select min(accepted_at) + interval '1 hour' from accepted where in_hour) as "hourResetsAt",
    (select min(accepted_at) + interval '1 day' from accepted) as "dayResetsAt"
  from kept`

async function readUsed(client: Queryable, userId: string, { perHour, perDay }: Quotas): Promise<Used> {
  const { rows } = await client.query<Used>(usedQuery, [userId, perHour, perDay])
  const used = rows[0]
  if (!used) throw new Error('Counting gave no row.')
  return used
}

export interface Reservation {
  userId: string
  presentationId: string
  slides: number
}

/**
 * Reserves one acceptance and its slides, or throws QUOTA_EXHAUSTED (waiting doesn't help) or QUOTA_EXCEEDED (with a Retry-After
 * after which there is room). The caller holds the intake lock. A reservation that was given back is made anew, as of now.
 */
export async function reserve(client: Queryable, { userId, presentationId, slides }: Reservation, quotas: Quotas): Promise<void> {
  const used = await readUsed(client, userId, quotas)
  if (quotas.total > 0 && used.total + 1 > quotas.total) throw new Problem('QUOTA_EXHAUSTED')
  if (quotas.totalSlides > 0 && used.slides + slides > quotas.totalSlides) throw new Problem('QUOTA_EXHAUSTED')
  const waits = [
    ...(quotas.perHour > 0 && used.hour >= quotas.perHour ? [used.hourFreeSeconds ?? 3600] : []),
    ...(quotas.perDay > 0 && used.day >= quotas.perDay ? [used.dayFreeSeconds ?? 86_400] : []),
    ...(await systemWait(client, quotas)),
  ]
  if (waits.length > 0) throw new Problem('QUOTA_EXCEEDED', { retryAfterSeconds: Math.max(1, Math.ceil(Math.max(...waits))) })
  await client.query(
    `insert into gateway.ledger (presentation_id, user_id, accepted_at, slides) values ($1, $2, now(), $3)
     on conflict (presentation_id) do update set accepted_at = now(), slides = $3, accepted = true, kept = true, paid = false, slid = false`,
    [presentationId, userId, slides],
  )
}

async function systemWait(client: Queryable, { systemPerDay }: Quotas): Promise<number[]> {
  if (systemPerDay === 0) return []
  const { rows } = await client.query<{ used: number; seconds: number | null }>(
    `with accepted as (
       select accepted_at, row_number() over (order by accepted_at desc) as newest
       from gateway.ledger where accepted and accepted_at > now() - interval '1 day'
     )
     select (select count(*) from accepted) as used,
       (select extract(epoch from accepted_at + interval '1 day' - now()) from accepted where newest = $1) as seconds`,
    [systemPerDay],
  )
  const { used = 0, seconds = null } = rows[0] ?? {}
  return used >= systemPerDay ? [seconds ?? 86_400] : []
}

/** True when the presentation's reservation was given back, so that a retry has to reserve again. */
export async function isGivenBack(client: Queryable, presentationId: string): Promise<boolean> {
  const { rows } = await client.query('select 1 from gateway.ledger where presentation_id = $1 and accepted and kept', [
    presentationId,
  ])
  return rows.length === 0
}

/** Other outlines, another number of slides: throws QUOTA_EXHAUSTED where that is too many. The caller holds the intake lock. */
export async function reserveSlides(client: Queryable, { userId, presentationId, slides }: Reservation, quotas: Quotas) {
  const used = await readUsed(client, userId, quotas)
  const { rows } = await client.query<{ slides: number }>(
    'select slides from gateway.ledger where presentation_id = $1 and kept',
    [presentationId],
  )
  const own = rows[0]?.slides ?? 0
  if (quotas.totalSlides > 0 && slides > own && used.slides - own + slides > quotas.totalSlides)
    throw new Problem('QUOTA_EXHAUSTED')
  await client.query('update gateway.ledger set slides = $2 where presentation_id = $1', [presentationId, slides])
}

/** A paid stage begins. */
export const notePaid: Companion = {
  text: 'update gateway.ledger set paid = true where presentation_id = $1 and not paid',
  values: [],
}

/** The first slide was made. */
export const noteSlide: Companion = {
  text: 'update gateway.ledger set slid = true where presentation_id = $1 and not slid',
  values: [],
}

/** A run ended well: it made this many slides. */
export function settleSlides(slides: number): Companion {
  return { text: 'update gateway.ledger set slides = $2 where presentation_id = $1', values: [slides] }
}

/** A run failed: what made no slide is given back, what made some counts with those. */
export function settleFailed(slides: number): Companion {
  return {
    text: `update gateway.ledger set accepted = accepted and slid, kept = kept and slid, slides = case when slid then $2 else slides end
      where presentation_id = $1`,
    values: [slides],
  }
}

/** A run was cancelled: given back only when no paid stage was called. */
export const settleCancelled =
  'update gateway.ledger set accepted = accepted and paid, kept = kept and paid where presentation_id = $1'

/** A presentation was deleted: frees the totals; its acceptance counts on, unless nothing was paid. */
export const settleDeleted = 'update gateway.ledger set accepted = accepted and paid, kept = false where presentation_id = $1'

/** One limit as its user sees it: null where it is unlimited. */
export interface Allowance {
  limit: number | null
  used: number
  remaining: number | null
  /** When the window begins to free itself; null where waiting frees nothing. */
  resetsAt: Date | null
}

export type Usage = Awaited<ReturnType<typeof readUsage>>

export async function readUsage(database: Pick<Database, 'transaction'>, userId: string, quotas: Quotas) {
  const used = await database.transaction((client) => readUsed(client, userId, quotas))
  const allowance = (limit: number, count: number, resetsAt: Date | null): Allowance => ({
    limit: limit === 0 ? null : limit,
    used: count,
    remaining: limit === 0 ? null : Math.max(0, limit - count),
    resetsAt,
  })
  return {
    perHour: allowance(quotas.perHour, used.hour, used.hourResetsAt),
    perDay: allowance(quotas.perDay, used.day, used.dayResetsAt),
    total: allowance(quotas.total, used.total, null),
    totalSlides: allowance(quotas.totalSlides, used.slides, null),
  }
}

/** Forgets what no window and no total can count any more. */
export async function pruneLedger(database: Pick<Database, 'query'>): Promise<void> {
  await database.query(`delete from gateway.ledger l where l.accepted_at < now() - interval '2 days'
    and not exists (select 1 from gateway.presentations p where p.id = l.presentation_id)`)
}
