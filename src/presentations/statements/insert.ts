// Inserts accepted presentations: rows, leases, quota reservations and the first events of their
// logs, in the caller's transaction. Raw SQL: it unnests a batch and computes queue positions.

import { encodeEvent } from '../../contract/events.ts'
import { advisoryLocks } from '../../database/advisory-locks.ts'
import type { Queryable } from '../../database/connection.ts'
import { newEstimateInputs } from '../../database/durations.ts'
import { countAhead, isWaiting, nextTurn, queueOrder } from '../../database/queue.ts'
import type { presentations } from '../../database/schema/presentations.ts'
import { insertPresentationSources } from '../../database/sources.ts'
import type { EstimateInputs } from '../../domain/estimate.ts'
import type { PresentationRow } from './queries.ts'

/** `outlines` are the caller's own; null when the model writes them. */
export type NewPresentation = Pick<
  typeof presentations.$inferSelect,
  | ('id' | 'userId' | 'title' | 'template' | 'language' | 'nSlides' | 'exportAs')
  | ('reviewOutlines' | 'metadata' | 'brief' | 'briefDigest' | 'outlines' | 'origin')
  | 'requestTrace'
> & {
  /** Of a deck that exists already. */
  deckId?: string | null
  /** The account in Presenton that owns it; null for the shared one. */
  account?: string | null
  sources: { id: string; name: string }[]
}

/** How many runs wait, of all users and of each user that was asked for. */
export interface QueueCounts {
  all: number
  own: Map<string, number>
}

/**
 * Serialises admissions until the transaction ends, so that limits and quotas that are checked now
 * still hold at its end.
 */
export const lockAdmission = `select pg_advisory_xact_lock(${advisoryLocks.admission})`

export async function countQueued(client: Queryable, userIds: string[]): Promise<QueueCounts> {
  const rows = await client.query<{ userId: string; own: number; all: number }>(
    `select u.id as "userId",
       (select count(*) from gateway.presentations p
        where p.user_id = u.id and ${isWaiting('p')}) as own,
       (select count(*) from gateway.presentations q where ${isWaiting('q')}) as "all"
     from unnest($1::text[]) u(id)`,
    [userIds],
  )
  return { all: rows[0]?.all ?? 0, own: new Map(rows.map(({ userId, own }) => [userId, own])) }
}

/** Inserts the presentations as queued, those of each user in their order; returns their rows. */
export async function insertPresentations(
  client: Queryable,
  inputs: NewPresentation[],
): Promise<PresentationRow[]> {
  const placed = await insertRows(client, inputs)
  await insertFirstEvents(client, placed)
  await insertSources(client, inputs)
  const byId = new Map(placed.map((row) => [row.id, row]))
  return inputs.map((input) => {
    const row = byId.get(input.id)
    if (!row) throw new Error('A presentation was not inserted.')
    return newRow(input, row)
  })
}

interface PlacedRow {
  id: string
  /** In the queue, from 1. */
  position: number
  createdAt: Date
  estimate: EstimateInputs | null
}

function insertRows(client: Queryable, inputs: NewPresentation[]): Promise<PlacedRow[]> {
  const column = <T>(read: (input: NewPresentation) => T) => inputs.map(read)
  return client.query<PlacedRow>(
    `with given as (
       select *, row_number() over (partition by user_id order by n) - 1 as earlier
       from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[],
           $7::text[], $8::bool[], $9::jsonb[], $10::json[], $11::json[], $12::text[], $13::text[],
           $14::text[], $15::text[], $16::text[])
         with ordinality as given(id, user_id, title, template, language, n_slides,
           export_as, review_outlines, metadata, brief, outlines, brief_digest, origin, request_trace,
           deck_id, account, n)
     ), new as (
       insert into gateway.presentations (id, user_id, title, status, run_format, template,
         language, n_slides, export_as, review_outlines, metadata, brief, outlines, brief_digest, origin,
         request_trace, presenton_presentation_id, account, turn, queued_at)
       select id, user_id, title, 'queued', export_as, template,
         language, n_slides, export_as, review_outlines, metadata, brief, outlines, brief_digest, origin,
         request_trace, deck_id, account, ${nextTurn('g.user_id')} + earlier, clock_timestamp() from given g
       returning id, turn, queued_at, created_at, outlines
     ), lease as (
       insert into gateway.leases (presentation_id, last_seq) select id, 1 from new
     ), made as (
       insert into gateway.decks (deck_id, presentation_id, account)
       select deck_id, id, account from given where deck_id is not null
     ), reserved as (
       insert into gateway.ledger (presentation_id, user_id, accepted_at, slides)
       select id, user_id, now(), n_slides from given
     )
     select new.id, new.created_at as "createdAt",
       1 + ${countAhead('new')}
         + (select count(*) from new o where (${queueOrder('o')}) < (${queueOrder('new')}))
         as position,
       ${newEstimateInputs('new')} as estimate
     from new`,
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
      column(({ briefDigest }) => briefDigest),
      column(({ origin }) => origin),
      column(({ requestTrace }) => requestTrace),
      column(({ deckId }) => deckId ?? null),
      column(({ account }) => account ?? null),
    ],
  )
}

async function insertSources(client: Queryable, inputs: NewPresentation[]): Promise<void> {
  const named = inputs.flatMap(({ id: presentationId, sources }) =>
    sources.map(({ id: sourceId, name }, position) => ({
      presentationId,
      position,
      sourceId,
      name,
    })),
  )
  if (named.length > 0) await insertPresentationSources(client, named)
}

async function insertFirstEvents(client: Queryable, placed: PlacedRow[]): Promise<void> {
  const events = placed.map(({ position }) => encodeEvent('queued', { position }, { run: 1 }))
  await client.query(
    `insert into gateway.events (presentation_id, seq, run, kind, data)
     select id, 1, 1, kind, data
     from unnest($1::uuid[], $2::text[], $3::text[]) as first(id, kind, data)`,
    [placed.map(({ id }) => id), events.map(({ kind }) => kind), events.map(({ data }) => data)],
  )
}

/** The row as a query would return it, without another round trip. */
function newRow(
  input: NewPresentation,
  { position, createdAt, estimate }: PlacedRow,
): PresentationRow {
  const {
    brief: _brief,
    briefDigest: _digest,
    outlines: _outlines,
    requestTrace: _trace,
    ...given
  } = input
  return {
    ...given,
    deckId: input.deckId ?? null,
    account: input.account ?? null,
    status: 'queued',
    stage: null,
    run: 1,
    attempt: 0,
    progress: 0,
    slidesDone: 0,
    runFormat: input.exportAs,
    makesFile: true,
    files: [],
    revision: null,
    error: null,
    queuePosition: position,
    estimate,
    createdAt,
    updatedAt: createdAt,
    startedAt: null,
    completedAt: null,
  }
}
