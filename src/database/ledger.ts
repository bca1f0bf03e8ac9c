// The ledger of quotas. What is accepted is reserved in the transaction that makes its row, under
// the intake lock, so N allowed means N accepted; what ends without having cost anything is given
// back in the transaction that ends it.
import { Problem } from '../domain/problem.ts'
import type { Database, Queryable } from './connection.ts'
import type { ExtraStatement } from './run-write.ts'

/** Per user but for `systemPerDay`; 0 means unlimited. */
export interface Quotas {
  perHour: number
  perDay: number
  total: number
  totalSlides: number
  systemPerDay: number
}

/**
 * What leaves a sliding window: seconds until the nth newest of those in it has left, for the n
 * that were asked for.
 */
type Leaving = Record<string, number> | null

interface Used {
  hour: number
  day: number
  total: number
  slides: number
  hourLeaving: Leaving
  dayLeaving: Leaving
  hourResetsAt: Date | null
  dayResetsAt: Date | null
}

// With n of the limit used up, there is room once the oldest n - limit + 1 have left the window:
// once the one that is `limit`th from the newest has. Who asks for several needs as many of those.
const leaving = (window: string, limit: string) =>
  `json_object_agg(newest, extract(epoch from accepted_at + interval '${window}' - now()))
     filter (where newest <= ${limit} and newest > ${limit} - u.asked and accepted_at > now() - interval '${window}')`

const usedQuery = `
  select u.id as "userId", accepted.*, kept.* from unnest($1::text[], $2::int[]) as u(id, asked) cross join lateral (
    select count(*) filter (where accepted_at > now() - interval '1 hour') as hour, count(*) as day,
      ${leaving('1 hour', '$3::int')} as "hourLeaving", ${leaving('1 day', '$4::int')} as "dayLeaving",
      min(accepted_at) filter (where accepted_at > now() - interval '1 hour') + interval '1 hour' as "hourResetsAt",
      min(accepted_at) + interval '1 day' as "dayResetsAt"
    from (
      select accepted_at, row_number() over (order by accepted_at desc) as newest from gateway.ledger
      where user_id = u.id and accepted and accepted_at > now() - make_interval(hours => $5)
    ) ranked
  ) accepted cross join lateral (
    select count(*) as total, coalesce(sum(slides), 0) as slides from gateway.ledger where user_id = u.id and kept and $6
  ) kept`

interface Asked {
  /** How many may be asked for, by user. */
  users: Map<string, number>
  quotas: Quotas
  /** Counted whether there is a limit or not. */
  isAll?: boolean
}

/** What the users have used up; what has no limit is not counted, since it may be much. */
async function readUsed(
  client: Queryable,
  { users, quotas, isAll = false }: Asked,
): Promise<Map<string, Used>> {
  const { perHour, perDay, total, totalSlides } = quotas
  const hours = isAll || perDay > 0 ? 24 : perHour > 0 ? 1 : 0
  const countsKept = isAll || total > 0 || totalSlides > 0
  const rows = await client.query<Used & { userId: string }>(usedQuery, [
    [...users.keys()],
    [...users.values()],
    perHour,
    perDay,
    hours,
    countsKept,
  ])
  return new Map(rows.map((row) => [row.userId, row]))
}

export interface Reservation {
  userId: string
  presentationId: string
  slides: number
}

export type QuotaBudget = Awaited<ReturnType<typeof readQuotaBudget>>

/**
 * How much room there is for these users, who ask for at most so many each. The caller holds the
 * intake lock, so what is taken here is to be had until its transaction ends.
 */
export async function readQuotaBudget(
  client: Queryable,
  users: Map<string, number>,
  quotas: Quotas,
) {
  const isLimited =
    quotas.perHour > 0 || quotas.perDay > 0 || quotas.total > 0 || quotas.totalSlides > 0
  const used = isLimited ? await readUsed(client, { users, quotas }) : new Map<string, Used>()
  const asked = [...users.values()].reduce((sum, n) => sum + n, 0)
  const system =
    quotas.systemPerDay > 0 ? await readSystem(client, asked, quotas.systemPerDay) : undefined
  const taken = new Map<string, { count: number; slides: number }>()
  let takenByAll = 0

  /**
   * Throws QUOTA_EXHAUSTED (waiting doesn't help) or QUOTA_EXCEEDED (with a Retry-After after which
   * there is room).
   */
  function check({ userId, slides }: Pick<Reservation, 'userId' | 'slides'>): void {
    const own = used.get(userId)
    const mine = taken.get(userId) ?? { count: 0, slides: 0 }
    const waits: number[] = []
    const full = (
      limit: number,
      before: { count: number; taken: number; leaving: Leaving; windowSeconds: number },
    ) => {
      if (limit === 0 || before.count + before.taken < limit) return
      waits.push(before.leaving?.[limit - before.taken] ?? before.windowSeconds)
    }
    if (own) {
      if (quotas.total > 0 && own.total + mine.count + 1 > quotas.total)
        throw new Problem('QUOTA_EXHAUSTED')
      if (quotas.totalSlides > 0 && own.slides + mine.slides + slides > quotas.totalSlides)
        throw new Problem('QUOTA_EXHAUSTED')
      full(quotas.perHour, {
        count: own.hour,
        taken: mine.count,
        leaving: own.hourLeaving,
        windowSeconds: 3600,
      })
      full(quotas.perDay, {
        count: own.day,
        taken: mine.count,
        leaving: own.dayLeaving,
        windowSeconds: 86_400,
      })
    }
    if (system) full(quotas.systemPerDay, { ...system, taken: takenByAll, windowSeconds: 86_400 })
    if (waits.length > 0)
      throw new Problem('QUOTA_EXCEEDED', {
        retryAfterSeconds: Math.max(1, Math.ceil(Math.max(...waits))),
      })
  }

  /** Leaves so much less for those who are checked after it. */
  function take({ userId, slides }: Pick<Reservation, 'userId' | 'slides'>): void {
    const mine = taken.get(userId) ?? { count: 0, slides: 0 }
    taken.set(userId, { count: mine.count + 1, slides: mine.slides + slides })
    takenByAll += 1
  }

  return { check, take }
}

async function readSystem(
  client: Queryable,
  asked: number,
  limit: number,
): Promise<{ count: number; leaving: Leaving }> {
  const rows = await client.query<{ count: number; leaving: Leaving }>(
    `select count(*) as count, json_object_agg(newest, extract(epoch from accepted_at + interval '1 day' - now()))
       filter (where newest <= $1 and newest > $1 - $2::int) as leaving
     from (select accepted_at, row_number() over (order by accepted_at desc) as newest
       from gateway.ledger where accepted and accepted_at > now() - interval '1 day') ranked`,
    [limit, asked],
  )
  return rows[0] ?? { count: 0, leaving: null }
}

/**
 * Reserves one acceptance and its slides, or throws as `check` does. The caller holds the intake
 * lock. A reservation that was given back is made anew, as of now. (New presentations are checked
 * by the group, and reserve as they are inserted.)
 */
export async function reserve(
  client: Queryable,
  reservation: Reservation,
  quotas: Quotas,
): Promise<void> {
  const { userId, presentationId, slides } = reservation
  const room = await readQuotaBudget(client, new Map([[userId, 1]]), quotas)
  room.check(reservation)
  await client.query(
    `insert into gateway.ledger (presentation_id, user_id, accepted_at, slides) values ($1, $2, now(), $3)
     on conflict (presentation_id) do update set accepted_at = now(), slides = $3, accepted = true, kept = true, paid = false, slid = false`,
    [presentationId, userId, slides],
  )
}

/**
 * True when the presentation's reservation was given back, so that a retry has to reserve again.
 */
export async function isReservationReleased(
  client: Queryable,
  presentationId: string,
): Promise<boolean> {
  const rows = await client.query(
    'select 1 from gateway.ledger where presentation_id = $1 and accepted and kept',
    [presentationId],
  )
  return rows.length === 0
}

/**
 * Other outlines, another number of slides: throws QUOTA_EXHAUSTED where that is too many. The
 * caller holds the intake lock.
 */
export async function reserveSlides(
  client: Queryable,
  { userId, presentationId, slides }: Reservation,
  quotas: Quotas,
) {
  const used = (await readUsed(client, { users: new Map([[userId, 0]]), quotas })).get(userId)
  const rows = await client.query<{ slides: number }>(
    'select slides from gateway.ledger where presentation_id = $1 and kept',
    [presentationId],
  )
  const own = rows[0]?.slides ?? 0
  if (
    quotas.totalSlides > 0 &&
    slides > own &&
    (used?.slides ?? 0) - own + slides > quotas.totalSlides
  )
    throw new Problem('QUOTA_EXHAUSTED')
  await client.query('update gateway.ledger set slides = $2 where presentation_id = $1', [
    presentationId,
    slides,
  ])
}

/** A paid stage begins. */
export const markPaid: ExtraStatement = {
  text: 'update gateway.ledger set paid = true where presentation_id = $1 and not paid',
  values: [],
}

/** The first slide was made. */
export const markFirstSlide: ExtraStatement = {
  text: 'update gateway.ledger set slid = true where presentation_id = $1 and not slid',
  values: [],
}

/** A run ended well: it made this many slides. */
export function settleSlides(slides: number): ExtraStatement {
  return {
    text: 'update gateway.ledger set slides = $2 where presentation_id = $1',
    values: [slides],
  }
}

/**
 * Settles a run that failed after it had made `slides` slides. Without slides its reservation is
 * released; otherwise the slides it made are counted.
 */
export function settleFailed(slides: number): ExtraStatement {
  return {
    text: `update gateway.ledger set accepted = accepted and slid, kept = kept and slid,
        slides = case when slid then $2 else slides end
      where presentation_id = $1`,
    values: [slides],
  }
}

/** Settles a cancelled run: its reservation is released if no paid stage was called. */
export const settleCancelled: ExtraStatement = {
  text: `update gateway.ledger set accepted = accepted and paid, kept = kept and paid
    where presentation_id = $1`,
  values: [],
}

/**
 * Settles a deleted presentation: it frees the totals. Its acceptance still counts in the windows,
 * unless nothing was paid.
 */
export const settleDeleted: ExtraStatement = {
  text: `update gateway.ledger set accepted = accepted and paid, kept = false
    where presentation_id = $1`,
  values: [],
}

/** One limit as its user sees it: null where it is unlimited. */
export interface Allowance {
  limit: number | null
  used: number
  remaining: number | null
  /** When the window begins to free itself; null where waiting frees nothing. */
  resetsAt: Date | null
}

export type Usage = Awaited<ReturnType<typeof readUsage>>

export async function readUsage(
  database: Pick<Database, 'transaction'>,
  userId: string,
  quotas: Quotas,
) {
  const users = new Map([[userId, 0]])
  const used = (
    await database.transaction((client) => readUsed(client, { users, quotas, isAll: true }))
  ).get(userId)
  if (!used) throw new Error('Counting gave no row.')
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
  await database.query(
    `delete from gateway.ledger where not kept and accepted_at < now() - interval '2 days'`,
  )
}
