// Reads the states of runs. Raw SQL: a batch of ids, and fragments of the queue and of estimates.

import type { Status } from '../../contract/presentation.ts'
import type { Stage } from '../../contract/stages.ts'
import type { Queryable } from '../../database/connection.ts'
import { estimateInputs } from '../../database/durations.ts'
import { countAhead } from '../../database/queue.ts'
import type { RunKind } from '../../database/schema/presentations.ts'
import type { EstimatedRun } from '../../domain/estimate.ts'
import type { RunError } from '../../domain/problem.ts'

/** The state of a presentation's latest run. */
export interface JobRow extends EstimatedRun {
  id: string
  userId: string
  status: Status
  stage: Stage | null
  run: number
  runKind: RunKind
  progress: number
  error: RunError | null
  /** The last number in the log: each change of the state has one. */
  lastSeq: number
}

/** The rows of those that exist. */
export function readJobRows(database: Queryable, ids: string[]): Promise<JobRow[]> {
  return database.query(
    `select p.id, p.user_id as "userId", p.status, p.stage, p.run, p.run_kind as "runKind",
       p.progress, p.error, p.n_slides as "nSlides", p.slides_done as "slidesDone",
       l.last_seq as "lastSeq", ${estimateInputs('p')} as estimate,
       case when p.status = 'queued' then 1 + ${countAhead('p')} end as "queuePosition"
     from gateway.presentations p join gateway.leases l on l.presentation_id = p.id
     where p.id = any($1::uuid[])`,
    [ids],
  )
}

/** An event that ends a run or changes its status or stage. */
export interface StateEventRow {
  id: string
  run: number
  /** With its members, unless they are large. */
  event: { type: string; stage?: Stage } & Partial<RunError>
}

/** The ends of the runs from `from` up to before `before`, in their order. */
export async function readRunEnds(
  database: Queryable,
  asked: { id: string; from: number; before: number }[],
): Promise<StateEventRow[]> {
  const rows = await database.query<StoredStateEvent>(
    `select ${stateEvent('e')} from unnest($1::uuid[], $2::int[], $3::int[]) asked(id, first, before)
     join gateway.events e on e.presentation_id = asked.id
     where e.terminal and e.run >= asked.first and e.run < asked.before
     order by e.presentation_id, e.seq`,
    [asked.map(({ id }) => id), asked.map(({ from }) => from), asked.map(({ before }) => before)],
  )
  return rows.map(toStateEvent)
}

/** What changed the status or stage after the event `after`, up to `upTo`, in its order. */
export async function readStateEvents(
  database: Queryable,
  asked: { id: string; after: number; upTo: number }[],
): Promise<StateEventRow[]> {
  const rows = await database.query<StoredStateEvent>(
    `select ${stateEvent('e')} from unnest($1::uuid[], $2::bigint[], $3::bigint[])
       asked(id, after, up_to)
     join gateway.events e on e.presentation_id = asked.id
     where e.seq > asked.after and e.seq <= asked.up_to
       and e.kind in ('queued', 'stage', 'outlines', 'awaiting_outlines', 'complete', 'error')
       and (e.terminal or e.kind not in ('complete', 'error'))
     order by e.presentation_id, e.seq`,
    [asked.map(({ id }) => id), asked.map(({ after }) => after), asked.map(({ upTo }) => upTo)],
  )
  return rows.map(toStateEvent)
}

type StoredStateEvent = Omit<StateEventRow, 'event'> & { data: string }

/** Of large events only the kind: `complete` holds the whole deck. */
const stateEvent = (e: string) => `${e}.presentation_id as id, ${e}.run,
  case when ${e}.kind in ('complete', 'outlines')
    then json_build_object('type', ${e}.kind)::text else ${e}.data end as data`

const toStateEvent = ({ data, ...row }: StoredStateEvent): StateEventRow => ({
  ...row,
  event: JSON.parse(data),
})
