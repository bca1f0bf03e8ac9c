// Taking a presentation in: its row, its lease row and the first event of its log, in the transaction of the caller.
import type { Queryable } from './connection.ts'
import type { RunBrief } from './leases.ts'

export interface NewPresentation {
  id: string
  userId: string
  title: string | null
  template: string
  language: string
  nSlides: number
  exportAs: 'pptx' | 'pdf'
  reviewOutlines: boolean
  metadata: Record<string, string>
  brief: RunBrief
  /** The caller's own outlines, else null: they are made. */
  outlines: string[] | null
}

// Any constant: only intakes take this lock. Held to the end of the transaction, it makes the bounds of the queue exact.
const intakeLock = 7_260_139

/** Nobody else is taken in until the transaction ends: bounds and quotas that are checked now still hold at its end. */
export async function lockIntake(client: Queryable): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1)', [intakeLock])
}

/** How many are waiting now, of everybody and of this user. */
export async function countQueued(client: Queryable, userId: string): Promise<{ all: number; own: number }> {
  const { rows } = await client.query<{ all: number; own: number }>(
    `select count(*) as "all", count(*) filter (where user_id = $1) as own from gateway.presentations
     where status in ('queued', 'running') and run_started_at is null`,
    [userId],
  )
  return rows[0] ?? { all: 0, own: 0 }
}

/**
 * The turn of a run that joins the queue now, as SQL: after the user's own last one, and after the turn being served, so that
 * users alternate however long their queues are, and newcomers without end starve nobody (start-time fair queueing).
 */
export const nextTurn = (userId: string) => `greatest(
  (select turn + 1 from gateway.queue_clock where id = 1),
  (select max(t.turn) + 1 from gateway.presentations t where t.user_id = ${userId} and t.status in ('queued', 'running')))`

/** Inserts the presentation as queued. `firstEvent` gets its position (from 1) and gives the encoded first event. */
export async function insertPresentation(client: Queryable, input: NewPresentation, firstEvent: (position: number) => string) {
  const { rows } = await client.query<{ position: number }>(
    `with new as (
       insert into gateway.presentations (id, user_id, title, status, run_format, template, language, n_slides, export_as,
         review_outlines, metadata, brief, outlines, turn, queued_at)
       values ($1, $2, $3, 'queued', $7, $4, $5, $6, $7, $8, $9, $10, $11, ${nextTurn('$2')}, clock_timestamp())
       returning turn, queued_at, id
     )
     select (select count(*) + 1 from gateway.presentations q, new
             where q.status in ('queued', 'running') and q.run_started_at is null
               and (q.turn, q.queued_at, q.id) < (new.turn, new.queued_at, new.id)) as position from new`,
    [
      input.id,
      input.userId,
      input.title,
      input.template,
      input.language,
      input.nSlides,
      input.exportAs,
      input.reviewOutlines,
      JSON.stringify(input.metadata),
      JSON.stringify(input.brief),
      input.outlines && JSON.stringify(input.outlines),
    ],
  )
  await client.query(
    `with lease as (insert into gateway.leases (presentation_id, last_seq) values ($1, 1))
     insert into gateway.events (presentation_id, seq, run, data) values ($1, 1, 1, $2)`,
    [input.id, firstEvent(rows[0]?.position ?? 1)],
  )
}
