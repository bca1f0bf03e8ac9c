// What an owner may do to a presentation: end its run, begin another, approve outlines, rename,
// remove. Each is one short transaction that holds the lease row, so whatever a worker or another
// request does at the same time comes before or after it.
import { encodeEvent } from '../../contract/events.ts'
import type { Status } from '../../contract/presentation.ts'
import type { Queryable } from '../../database/connection.ts'
import { settleCancelled, settleDeleted } from '../../database/ledger.ts'
import { countAhead, nextTurn } from '../../database/queue.ts'
import { Problem, toRunError } from '../../domain/problem.ts'

/** What a transition looks at; stable until its transaction ends. */
export interface LockedPresentation {
  id: string
  userId: string
  status: Status
  run: number
  runKind: 'deck' | 'export'
  lastSeq: number
  nSlides: number
  exportAs: 'pptx' | 'pdf'
  exportTimes: Date[]
  slidesFinished: boolean
  outlines: string[] | null
  title: string | null
  includeTableOfContents: boolean
}

/** Locks one's own presentation. @throws Problem NOT_FOUND */
export async function lockPresentation(
  client: Queryable,
  { userId, id }: { userId: string; id: string },
): Promise<LockedPresentation> {
  await client.query(
    `select 1 from gateway.leases l join gateway.presentations p on p.id = l.presentation_id
     where l.presentation_id = $1 and p.user_id = $2 for update of l`,
    [id, userId],
  )
  // Only now: a row that was read before its lock was granted may be an old one.
  const rows = await client.query<LockedPresentation>(
    `select p.id, p.user_id as "userId", p.status, p.run, p.run_kind as "runKind", l.last_seq as "lastSeq", p.n_slides as "nSlides",
       p.export_as as "exportAs", p.export_times as "exportTimes", p.slides_finished as "slidesFinished", p.outlines, p.title,
       coalesce((p.brief->>'includeTableOfContents')::boolean, false) as "includeTableOfContents"
     from gateway.presentations p join gateway.leases l on l.presentation_id = p.id where p.id = $1 and p.user_id = $2`,
    [id, userId],
  )
  if (!rows[0]) throw new Problem('NOT_FOUND')
  return rows[0]
}

async function appendEvent(
  client: Queryable,
  { id, run }: LockedPresentation,
  event: { data: string; terminal?: boolean },
): Promise<void> {
  await client.query(
    `with counted as (update gateway.leases set last_seq = last_seq + 1 where presentation_id = $1 returning last_seq)
     insert into gateway.events (presentation_id, seq, run, terminal, data) select $1, last_seq, $2, $3, $4 from counted`,
    [id, run, event.terminal ?? false, event.data],
  )
}

/**
 * Ends the run under way: the worker that holds it can write nothing from here on. A cancelled
 * further export leaves the deck complete.
 */
export async function cancelRun(client: Queryable, locked: LockedPresentation): Promise<void> {
  const error = toRunError(new Problem('CANCELLED'))
  await client.query(
    'update gateway.leases set token = null, expires_at = null where presentation_id = $1',
    [locked.id],
  )
  await appendEvent(client, locked, {
    data: encodeEvent('error', error, { run: locked.run }).data,
    terminal: true,
  })
  if (locked.runKind === 'export') {
    await client.query(
      `update gateway.presentations set status = 'completed', stage = null, progress = 1, error = null, ended_at = now(), updated_at = now()
       where id = $1`,
      [locked.id],
    )
    return
  }
  await client.query(
    `update gateway.presentations set status = 'cancelled', error = $2, ended_at = now(), updated_at = now() where id = $1`,
    [locked.id, JSON.stringify(error)],
  )
  await client.query(settleCancelled, [locked.id])
}

/** What a new run starts with, whatever the run before it was. */
const freshRun = `run = run + 1, attempt = 0, progress = 0, error = null, starts = '{}', failures = '{}', slide_streams = 0, takeovers = 0,
  run_started_at = null, run_used_ms = 0, ended_at = null, review_expires_at = null, queued_at = clock_timestamp(), updated_at = now()`

/** Queues a run that goes on from the last finished stage. */
export async function queueRetry(client: Queryable, locked: LockedPresentation): Promise<void> {
  await client.query(
    `update gateway.presentations p set ${freshRun}, status = 'queued', stage = null, run_kind = 'deck', run_format = export_as,
       turn = ${nextTurn('p.user_id')} where id = $1`,
    [locked.id],
  )
  await appendQueued(client, { ...locked, run: locked.run + 1 })
}

/**
 * Begins a run of a further file. It shows as running at once, since the deck and its files stay,
 * but waits for its turn like all.
 */
export async function queueExport(
  client: Queryable,
  locked: LockedPresentation,
  format: 'pptx' | 'pdf',
): Promise<void> {
  await client.query(
    `update gateway.presentations p set ${freshRun}, status = 'running', stage = 'export', run_kind = 'export', run_format = $2,
       presenton_path = null, turn = ${nextTurn('p.user_id')},
       export_times = array(select t from unnest(export_times) t where t > now() - interval '1 hour') || now()::timestamptz(3)
     where id = $1`,
    [locked.id, format],
  )
  await appendQueued(client, { ...locked, run: locked.run + 1 })
}

async function appendQueued(client: Queryable, locked: LockedPresentation): Promise<void> {
  const rows = await client.query<{ position: number }>(
    `select 1 + ${countAhead('p')} as position from gateway.presentations p where p.id = $1`,
    [locked.id],
  )
  await appendEvent(client, locked, {
    data: encodeEvent('queued', { position: rows[0]?.position ?? 1 }, { run: locked.run }).data,
  })
}

/**
 * The outlines are as their owner wants them: the run goes on at prepare, at the place in the queue
 * of a new one.
 */
export async function approveOutlines(
  client: Queryable,
  locked: LockedPresentation,
  { outlines, title, nSlides }: { outlines: string[]; title: string | null; nSlides: number },
): Promise<void> {
  await client.query(
    `update gateway.presentations p set outlines = $2, title = $3, n_slides = $4, outlines_approved = true, deck_prepared = false,
       status = 'queued', stage = 'prepare', attempt = 0, review_expires_at = null, queued_at = clock_timestamp(), updated_at = now(),
       turn = ${nextTurn('p.user_id')} where id = $1`,
    [locked.id, JSON.stringify(outlines), title, nSlides],
  )
  await appendEvent(client, locked, {
    data: encodeEvent('outlines', { outlines, title }, { run: locked.run }).data,
  })
}

export async function renamePresentation(
  client: Queryable,
  { id }: LockedPresentation,
  title: string,
): Promise<void> {
  await client.query(
    'update gateway.presentations set title = $2, updated_at = now() where id = $1',
    [id, title],
  )
}

/**
 * Removes the presentation and its log, and leaves what lies outside (objects, upstream decks) to
 * be removed from the queue. A key that was recorded but may still be uploaded by a worker that
 * doesn't know yet is removed an hour later, when it can't be any more.
 */
export async function deletePresentation(
  client: Queryable,
  { id }: LockedPresentation,
): Promise<void> {
  await client.query(
    `update gateway.uploads u set remove_after = case
       when exists (select 1 from gateway.files f where f.object_key = u.object_key) then now()
       else greatest(now(), u.recorded_at + interval '1 hour') end
     where u.presentation_id = $1`,
    [id],
  )
  await client.query('update gateway.decks set remove_after = now() where presentation_id = $1', [
    id,
  ])
  await client.query('delete from gateway.events where presentation_id = $1', [id])
  await client.query('delete from gateway.assets where presentation_id = $1', [id])
  await client.query('delete from gateway.tickets where presentation_id = $1', [id])
  await client.query(settleDeleted, [id])
  await client.query('delete from gateway.presentations where id = $1', [id])
}
