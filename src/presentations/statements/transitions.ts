// What a user does to a presentation: end its run, start another, approve outlines, rename it. Each
// is a short transaction that locks the lease row, so that everything a worker or another request
// does at that time comes before or after it. Raw SQL: the lock, queue turns and arrays.

import { and, eq, sql } from 'drizzle-orm'
import { type EncodedEvent, encodeEvent } from '../../contract/events.ts'
import type { ExportFormat } from '../../contract/presentation.ts'
import type { Queryable } from '../../database/connection.ts'
import type { EndRun } from '../../database/end-run.ts'
import { countAhead, nextTurn } from '../../database/queue.ts'
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

const appendEvent = (client: Queryable, locked: LockedPresentation, event: EncodedEvent) =>
  writeLocked(client, locked, { events: [event] })

/** Ends the run; the worker that holds it can write nothing from here on. */
export async function cancelRun(
  client: Queryable,
  locked: LockedPresentation,
  endRun: EndRun,
): Promise<void> {
  await writeLocked(client, locked, endRun(locked, { outcome: 'cancelled' }))
}

/** What every new run starts with. */
const freshRun = `run = run + 1, attempt = 0, progress = 0, error = null, starts = '{}',
  failures = '{}', slide_streams = 0, takeovers = 0, run_started_at = null, run_used_ms = 0,
  resume_after = null, limit_waits_ms = '{}', ended_at = null, review_expires_at = null,
  stage_clock = '{}', request_trace = null, run_trace = null, queued_at = clock_timestamp(), updated_at = now()`
const withFile = 'makes_file = true, edit_finished = true'

/** Queues a run that continues after the last finished stage. */
export async function queueRetry(client: Queryable, locked: LockedPresentation): Promise<void> {
  await client.query(
    `update gateway.presentations p set ${freshRun}, ${withFile}, status = 'queued', stage = null,
       run_kind = 'deck', run_format = export_as, turn = ${nextTurn('p.user_id')}
     where id = $1`,
    [locked.id],
  )
  await appendQueued(client, locked)
}

/**
 * Queues a run that makes a further file. The presentation shows as running at once, because its
 * deck and files stay usable, but the run waits for its turn.
 */
export async function queueExport(
  client: Queryable,
  locked: LockedPresentation,
  format: ExportFormat,
): Promise<void> {
  await client.query(
    `update gateway.presentations p set ${freshRun}, ${withFile}, status = 'running', stage = 'export',
       run_kind = 'export', run_format = $2, presenton_path = null,
       turn = ${nextTurn('p.user_id')},
       export_times = now()::timestamptz(3) || array(
         select t from unnest(export_times) t where t > now() - interval '1 hour')
     where id = $1`,
    [locked.id, format],
  )
  await appendQueued(client, locked)
}

/** Queues a run that lets the model change a slide. The edit itself is in `slide_edits`. */
export async function queueEdit(
  client: Queryable,
  locked: LockedPresentation,
  { makesFile }: { makesFile: boolean },
): Promise<void> {
  await client.query(
    `update gateway.presentations p set ${freshRun}, status = 'running', stage = 'edit',
       run_kind = 'edit', run_format = export_as, presenton_path = null,
       makes_file = $2, edit_finished = false, turn = ${nextTurn('p.user_id')}
     where id = $1`,
    [locked.id, makesFile],
  )
  await appendQueued(client, locked)
}

/**
 * Queues a run that makes the slides again, from the saved outlines and on a fresh deck. The present
 * deck and its files stand until those slides are whole.
 */
export async function queueRegeneration(
  client: Queryable,
  locked: LockedPresentation,
  reservationId: string,
): Promise<void> {
  await client.query(
    `update gateway.presentations p set ${freshRun}, ${withFile}, status = 'running', stage = 'create',
       run_kind = 'regenerate', run_format = export_as, presenton_path = null,
       fresh_deck_id = null, slides_before = slides_done, reservation_id = $2,
       outlines_approved = true, deck_prepared = false, deck_streamed = false,
       slides_finished = false, turn = ${nextTurn('p.user_id')}
     where id = $1`,
    [locked.id, reservationId],
  )
  await appendQueued(client, locked)
}

/** The run's trace is linked to that of the request. */
export const noteRequest = statement((given: Given<{ id: string; requestTrace: string }>) =>
  build
    .update(presentations)
    .set({ requestTrace: sql`${given.requestTrace}` })
    .where(eq(presentations.id, given.id)),
)

/** The first event of the run that was just queued. */
async function appendQueued(client: Queryable, locked: LockedPresentation): Promise<void> {
  const run = locked.run + 1
  const [row] = await client.query<{ position: number }>(
    `select 1 + ${countAhead('p')} as position from gateway.presentations p where p.id = $1`,
    [locked.id],
  )
  const event = encodeEvent('queued', { position: row?.position ?? 1 }, { run })
  await appendEvent(client, { ...locked, run }, event)
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

const updateTitle = statement((given: Given<{ id: string; title: string }>) =>
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
