// What a user does to a presentation: end its run, start another, approve outlines, rename it. Each
// is a short transaction that locks the lease row, so that everything a worker or another request
// does at that time comes before or after it. Raw SQL: the lock, queue turns and arrays.

import { and, eq, sql } from 'drizzle-orm'
import { type EncodedEvent, encodeEvent } from '../../contract/events.ts'
import type { Queryable } from '../../database/connection.ts'
import type { EndRun } from '../../database/end-run.ts'
import { nextTurn } from '../../database/queue.ts'
import { revisionOf } from '../../database/revisions.ts'
import { applyRunWrite, type EncodedRunWrite } from '../../database/run-write.ts'
import { leases } from '../../database/schema/log.ts'
import { presentations } from '../../database/schema/presentations.ts'
import { build, columns, type Given, statement } from '../../database/statement.ts'
import { Problem } from '../../domain/problem.ts'

interface Owned {
  userId: string
  id: string
}

const selectLocked = statement((given: Given<Owned>) =>
  build
    .select({
      ...columns(
        presentations,
        ...(['id', 'userId', 'status', 'run', 'runKind', 'nSlides', 'slidesDone'] as const),
        ...(['exportAs', 'exportTimes', 'slidesFinished', 'outlines', 'title', 'deckId'] as const),
        'account',
      ),
      ...columns(leases, 'lastSeq'),
      revision: sql<number | null>`${sql.raw(revisionOf('presentations'))}`.as('revision'),
      includeTableOfContents: sql<boolean>`coalesce(
        (${presentations.brief}->>'includeTableOfContents')::boolean, false)`.as(
        'includeTableOfContents',
      ),
    })
    .from(presentations)
    .innerJoin(leases, eq(leases.presentationId, presentations.id))
    .where(and(eq(presentations.id, given.id), eq(presentations.userId, given.userId))),
)

/** What a transition reads. It does not change until the transaction ends. */
export type LockedPresentation = Awaited<ReturnType<typeof selectLocked>>[number]

/**
 * Locks a presentation of this user.
 *
 * @throws Problem NOT_FOUND
 */
export async function lockPresentation(
  client: Queryable,
  { userId, id }: Owned,
): Promise<LockedPresentation> {
  await client.query(
    `select 1 from gateway.leases l join gateway.presentations p on p.id = l.presentation_id
     where l.presentation_id = $1 and p.user_id = $2 for update of l`,
    [id, userId],
  )
  // A second statement: a row that was read before the lock was granted may be outdated.
  const [row] = await selectLocked(client, { userId, id })
  if (!row) throw new Problem('NOT_FOUND')
  return row
}

/** Applies a write to a locked presentation, regardless of the lease that a worker holds. */
async function writeLocked(
  client: Queryable,
  { id, run, lastSeq }: LockedPresentation,
  write: Partial<EncodedRunWrite>,
): Promise<void> {
  const fence = { id, run, seq: lastSeq, token: undefined, leaseMs: undefined }
  const isApplied = await applyRunWrite(client, fence, {
    events: [],
    changes: {},
    extraStatements: [],
    release: false,
    stopClock: false,
    ...write,
  })
  if (!isApplied) throw new Error('The log of a locked presentation has grown.')
}

/** Appends an event to the log of a locked presentation. */
export const appendEvent = (client: Queryable, locked: LockedPresentation, event: EncodedEvent) =>
  writeLocked(client, locked, { events: [event] })

/**
 * Ends the run; the worker that holds it can write nothing from here on. Returns the write, which
 * `reportCommitted` takes after the commit.
 */
export async function cancelRun(
  client: Queryable,
  locked: LockedPresentation,
  endRun: EndRun,
): Promise<EncodedRunWrite> {
  const write = endRun(locked, { outcome: 'cancelled' })
  await writeLocked(client, locked, write)
  return write
}

export interface ApprovedOutlines {
  outlines: string[]
  title: string | null
  /** Undefined: the brief's. */
  template?: string | undefined
  nSlides: number
}

/** The run continues at prepare; it joins the queue like a new one. */
export async function approveOutlines(
  client: Queryable,
  locked: LockedPresentation,
  { outlines, title, template, nSlides }: ApprovedOutlines,
): Promise<void> {
  await client.query(
    `update gateway.presentations p set outlines = $2, title = $3, n_slides = $4,
       outlines_approved = true, deck_prepared = false, status = 'queued', stage = 'prepare',
       attempt = 0, review_expires_at = null, resume_after = null, queued_at = clock_timestamp(),
       updated_at = now(), turn = ${nextTurn('p.user_id')}, template = coalesce($5, template),
       brief = case when $5 is null then brief
         else (brief::jsonb || '{"usesDefaultTemplate": false}')::json end
     where id = $1`,
    [locked.id, JSON.stringify(outlines), title, nSlides, template ?? null],
  )
  const event = encodeEvent('outlines', { outlines, title }, { run: locked.run })
  await appendEvent(client, locked, event)
}

/** The run goes on waiting for approval. */
export async function keepOutlines(
  client: Queryable,
  locked: LockedPresentation,
  outlines: string[],
): Promise<void> {
  await client.query(
    `update gateway.presentations set outlines = $2, n_slides = $3, updated_at = now()
     where id = $1`,
    [locked.id, JSON.stringify(outlines), outlines.length],
  )
  const event = encodeEvent('outlines', { outlines, title: locked.title }, { run: locked.run })
  await appendEvent(client, locked, event)
}

/** The run's trace is linked to that of the request. */
export const noteRequest = statement((given: Given<{ id: string; requestTrace: string }>) =>
  build
    .update(presentations)
    .set({ requestTrace: sql`${given.requestTrace}` })
    .where(eq(presentations.id, given.id)),
)

export const updateTitle = statement((given: Given<{ id: string; title: string }>) =>
  build
    .update(presentations)
    .set({ title: sql`${given.title}`, updatedAt: sql`now()` })
    .where(eq(presentations.id, given.id)),
)

export async function renamePresentation(
  client: Queryable,
  { id }: LockedPresentation,
  title: string,
): Promise<void> {
  await updateTitle(client, { id, title })
}

/** Exports of the last hour, and the seconds until the first of them is an hour old. */
export async function countRecentExports(
  client: Queryable,
  { id }: LockedPresentation,
): Promise<{ count: number; seconds: number }> {
  const [row] = await client.query<{ count: number; seconds: number | null }>(
    `select count(*) as count,
       extract(epoch from min(t) + interval '1 hour' - now())::float8 as seconds
     from (select unnest(export_times) as t from gateway.presentations where id = $1) times
     where t > now() - interval '1 hour'`,
    [id],
  )
  return { count: row?.count ?? 0, seconds: row?.seconds ?? 1 }
}
