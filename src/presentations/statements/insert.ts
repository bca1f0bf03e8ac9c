// Taking presentations in: their rows, their lease rows, what they reserve in the ledger of quotas,
// and the first events of their logs, in the transaction of the caller.
import type { Queryable } from '../../database/connection.ts'

import { countAhead, isWaiting, nextTurn, queueOrder } from '../../database/queue.ts'
import type { RunBrief } from '../../database/schema/presentations.ts'
import type { PresentationRow } from './queries.ts'

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

/** How many are waiting now, of everybody and of each user who was asked for. */
export interface QueueCounts {
  all: number
  own: Map<string, number>
}

// Any constant: only intakes take this lock. Held to the end of the transaction, it makes the
// bounds of the queue exact.
const admissionLock = 7_260_139

/**
 * Nobody else is taken in until the transaction ends: bounds and quotas that are checked now still
 * hold at its end.
 */
export async function lockAdmission(client: Queryable): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1)', [admissionLock])
}

export async function countQueued(client: Queryable, userIds: string[]): Promise<QueueCounts> {
  const rows = await client.query<{ userId: string; own: number; all: number }>(
    `select u.id as "userId", (select count(*) from gateway.presentations p where p.user_id = u.id and ${isWaiting('p')}) as own,
       (select count(*) from gateway.presentations q where ${isWaiting('q')}) as "all" from unnest($1::text[]) u(id)`,
    [userIds],
  )
  return { all: rows[0]?.all ?? 0, own: new Map(rows.map(({ userId, own }) => [userId, own])) }
}

/**
 * Inserts the presentations as queued, each user's in their order, and returns their rows.
 * `firstEvent` is the encoded first event, at position 0: each gets its own.
 */
export async function insertPresentations(
  client: Queryable,
  inputs: NewPresentation[],
  firstEvent: string,
): Promise<PresentationRow[]> {
  const column = <T>(read: (input: NewPresentation) => T) => inputs.map(read)
  const rows = await client.query<{ id: string; position: number; createdAt: Date }>(
    `with given as (
       select *, row_number() over (partition by user_id order by n) - 1 as earlier
       from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::bool[], $9::jsonb[], $10::json[],
         $11::json[]) with ordinality
         as given(id, user_id, title, template, language, n_slides, export_as, review_outlines, metadata, brief, outlines, n)
     ), new as (
       insert into gateway.presentations (id, user_id, title, status, run_format, template, language, n_slides, export_as,
         review_outlines, metadata, brief, outlines, turn, queued_at)
       select id, user_id, title, 'queued', export_as, template, language, n_slides, export_as,
         review_outlines, metadata, brief, outlines, ${nextTurn('g.user_id')} + earlier, clock_timestamp() from given g
       returning id, turn, queued_at, created_at
     ), placed as (
       select new.id, new.created_at, 1 + (select count(*) from new o where (${queueOrder('o')}) < (${queueOrder('new')})) + ${countAhead('new')} as position from new
     ), lease as (
       insert into gateway.leases (presentation_id, last_seq) select id, 1 from new
     ), reserved as (
       insert into gateway.ledger (presentation_id, user_id, accepted_at, slides) select id, user_id, now(), n_slides from given
     ), logged as (
       insert into gateway.events (presentation_id, seq, run, data)
       select id, 1, 1, replace($12, '"position":0', '"position":' || position) from placed
     )
     select id, position, created_at as "createdAt" from placed`,
    [
      column(({ id }) => id),
      column(({ userId }) => userId),
      column(({ title }) => title),
      column(({ template }) => template),
      column(({ language }) => language),
      column(({ nSlides }) => nSlides),
      column(({ exportAs }) => exportAs),
      column(({ reviewOutlines }) => reviewOutlines),
      column(({ metadata }) => JSON.stringify(metadata)),
      column(({ brief }) => JSON.stringify(brief)),
      column(({ outlines }) => outlines && JSON.stringify(outlines)),
      firstEvent,
    ],
  )
  const made = new Map(rows.map((row) => [row.id, row]))
  return inputs.map((input) => {
    const row = made.get(input.id)
    if (!row) throw new Error('A presentation was not inserted.')
    return newRow(input, row)
  })
}

/** The row as it would be read: what is not said here is as the table's defaults have it. */
function newRow(
  input: NewPresentation,
  { position, createdAt }: { position: number; createdAt: Date },
): PresentationRow {
  const { id, userId, title, template, language, nSlides, exportAs, reviewOutlines, metadata } =
    input
  return {
    ...{ id, userId, title, template, language, nSlides, exportAs, reviewOutlines, metadata },
    ...{
      deckId: null,
      status: 'queued',
      stage: null,
      run: 1,
      attempt: 0,
      progress: 0,
      slidesDone: 0,
    },
    ...{ runFormat: exportAs, files: [], error: null, queuePosition: position },
    ...{ createdAt, updatedAt: createdAt, startedAt: null, completedAt: null },
  }
}
