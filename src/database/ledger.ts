// The ledger of quotas. A presentation reserves its quota in the transaction that accepts it, under
// the admission lock, so the limits are exact. The transaction that ends a run settles: it releases
// what cost nothing. Settlements are raw SQL, because they join the statements of run writes.
import { randomUUID } from 'node:crypto'
import { and, eq, lt, not, sql } from 'drizzle-orm'
import { Problem } from '../domain/problem.ts'
import type { Queryable } from './connection.ts'
import { type Demand, readQuotaBudget } from './quota-budget.ts'
import { countUsed, type Quotas } from './quota-usage.ts'
import type { ExtraStatement } from './run-write.ts'
import { ledger } from './schema/users.ts'
import { build, columns, type Given, statement } from './statement.ts'

export interface Reservation extends Demand {
  presentationId: string
}

const upsertReservation = statement((given: Given<Reservation>) =>
  build
    .insert(ledger)
    .values({
      presentationId: given.presentationId,
      userId: given.userId,
      slides: given.slides,
      acceptedAt: sql`now()`,
    })
    .onConflictDoUpdate({
      target: ledger.presentationId,
      set: {
        slides: sql`excluded.slides`,
        acceptedAt: sql`now()`,
        accepted: true,
        kept: true,
        paid: false,
        slid: false,
      },
    }),
)

/**
 * Reserves for a presentation whose reservation was released, as of now. (The insert of a new
 * presentation reserves as well.) The caller holds the admission lock.
 *
 * @throws Problem QUOTA_EXHAUSTED, QUOTA_EXCEEDED
 */
export async function reserve(
  client: Queryable,
  reservation: Reservation,
  quotas: Quotas,
): Promise<void> {
  const budget = await readQuotaBudget(client, new Map([[reservation.userId, 1]]), quotas)
  budget.check(reservation)
  await upsertReservation(client, reservation)
}

const selectActive = statement((given: Given<{ presentationId: string }>) =>
  build
    .select(columns(ledger, 'presentationId'))
    .from(ledger)
    .where(and(eq(ledger.presentationId, given.presentationId), ledger.accepted, ledger.kept)),
)

/** True when the reservation was released: a retry has to reserve again. */
export async function isReservationReleased(
  client: Queryable,
  presentationId: string,
): Promise<boolean> {
  return (await selectActive(client, { presentationId })).length === 0
}

const selectKeptSlides = statement((given: Given<{ presentationId: string }>) =>
  build
    .select(columns(ledger, 'slides'))
    .from(ledger)
    .where(and(eq(ledger.presentationId, given.presentationId), ledger.kept)),
)

const updateSlides = statement((given: Given<{ presentationId: string; slides: number }>) =>
  build
    .update(ledger)
    .set({ slides: sql`${given.slides}` })
    .where(eq(ledger.presentationId, given.presentationId)),
)

/**
 * Changes the number of slides that a presentation reserves. The caller holds the admission lock.
 *
 * @throws Problem QUOTA_EXHAUSTED
 */
export async function reserveSlides(
  client: Queryable,
  { userId, presentationId, slides }: Reservation,
  quotas: Quotas,
): Promise<void> {
  const used = (await countUsed(client, new Map([[userId, 0]]), { quotas })).get(userId)
  const [reserved] = await selectKeptSlides(client, { presentationId })
  const added = slides - (reserved?.slides ?? 0)
  const { totalSlides } = quotas
  if (totalSlides > 0 && added > 0 && (used?.slides ?? 0) + added > totalSlides) {
    throw new Problem('QUOTA_EXHAUSTED')
  }
  await updateSlides(client, { presentationId, slides })
}

/**
 * Reserves in the sliding windows only, for a run that replaces what the presentation has. Returns
 * the id of the reservation. The caller holds the admission lock.
 *
 * @throws Problem QUOTA_EXCEEDED
 */
export async function reserveWindows(
  client: Queryable,
  userId: string,
  quotas: Quotas,
): Promise<string> {
  const windows = { ...quotas, total: 0, totalSlides: 0 }
  const budget = await readQuotaBudget(client, new Map([[userId, 1]]), windows)
  budget.check({ userId, slides: 0 })
  const id = randomUUID()
  await client.query(
    `insert into gateway.ledger (presentation_id, user_id, accepted_at, slides, kept)
     values ($1, $2, now(), 0, false)`,
    [id, userId],
  )
  return id
}

/** The reservation that the latest run uses. */
const ofRun = `coalesce(
  (select reservation_id from gateway.presentations where id = $1 and run_kind = 'regenerate'), $1)`

/** Marks that a paid stage starts. */
export const markPaid: ExtraStatement = {
  text: `update gateway.ledger set paid = true where presentation_id = ${ofRun} and not paid`,
  values: [],
}

/** Marks that the first slide was made. */
export const markFirstSlide: ExtraStatement = {
  text: `update gateway.ledger set slid = true where presentation_id = ${ofRun} and not slid`,
  values: [],
}

/** Settles a finished deck of `slides` slides. */
export function settleSlides(slides: number): ExtraStatement {
  return {
    text: 'update gateway.ledger set slides = $2 where presentation_id = $1',
    values: [slides],
  }
}

/** Gives back what was reserved for slides that upstream has not added. Never rejects. */
export async function giveBackSlides(
  database: Queryable,
  presentationId: string,
  slides: number,
): Promise<void> {
  const { text, values } = settleSlides(slides)
  await database.query(text, [presentationId, ...values]).catch(() => undefined)
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

/** Settles a cancelled run: its reservation is released if no paid stage was started. */
export const settleCancelled: ExtraStatement = {
  text: `update gateway.ledger set accepted = accepted and paid, kept = kept and paid
    where presentation_id = $1`,
  values: [],
}

/**
 * Settles a deleted presentation: it no longer counts in the totals. It still counts in the windows
 * if a paid stage was started.
 */
export const settleDeleted: ExtraStatement = {
  text: `update gateway.ledger set accepted = accepted and paid, kept = false
    where presentation_id in ($1, ${ofRun})`,
  values: [],
}

const deleteUncounted = statement(() =>
  build
    .delete(ledger)
    .where(and(not(ledger.kept), lt(ledger.acceptedAt, sql`now() - interval '2 days'`))),
)

/** Deletes rows that no window and no total can count any more. */
export async function pruneLedger(database: Queryable): Promise<void> {
  await deleteUncounted(database)
}
