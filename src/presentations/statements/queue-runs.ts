// Queues another run of a presentation that is locked: a retry, a further file, an edit, a
// regeneration. Raw SQL: queue turns and arrays.

import { encodeEvent } from '../../contract/events.ts'
import type { ExportFormat } from '../../contract/presentation.ts'
import type { Queryable } from '../../database/connection.ts'
import { countAhead, nextTurn } from '../../database/queue.ts'
import { appendEvent, type LockedPresentation } from './transitions.ts'

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
 * Queues a run that makes the slides again, from the saved outlines and on a fresh deck. The
 * present deck and its files stand until those slides are whole.
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
