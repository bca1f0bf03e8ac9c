// What the paid handlers read of a presentation. Raw SQL: one statement reads the row with its
// brief, and a log's places are found by what its events say.

import type { Status } from '../../contract/presentation.ts'
import type { Stage } from '../../contract/stages.ts'
import type { Queryable } from '../../database/connection.ts'
import { revisionOf } from '../../database/revisions.ts'
import type { RunBrief, RunKind } from '../../database/schema/presentations.ts'
import type { RunError } from '../../domain/problem.ts'

export interface DeckState {
  id: string
  userId: string
  deckId: string
  status: Status
  run: number
  runKind: RunKind
  title: string | null
  language: string
  nSlides: number
  slidesDone: number
  revision: number | null
  outlines: string[] | null
  outlinesApproved: boolean
  slidesFinished: boolean
  brief: RunBrief
  error: RunError | null
  createdAt: Date
  updatedAt: Date
}

/** Undefined when the user has no such presentation, or it has no deck. */
export async function findDeckState(
  database: Queryable,
  { userId, id }: { userId: string; id: string },
): Promise<DeckState | undefined> {
  const [row] = await database.query<DeckState>(
    `select p.id, p.user_id as "userId", presenton_presentation_id as "deckId", status, run,
       run_kind as "runKind", title, language, n_slides as "nSlides", slides_done as "slidesDone",
       ${revisionOf('p')} as revision, outlines, outlines_approved as "outlinesApproved",
       slides_finished as "slidesFinished", brief, error,
       created_at as "createdAt", updated_at as "updatedAt"
     from gateway.presentations p
     where id = $1 and user_id = $2 and presenton_presentation_id is not null`,
    [id, userId],
  )
  return row
}

/** The latest start of a stage, in the latest run that had it; undefined if the log has none. */
export async function findStageStart(
  database: Queryable,
  { id, stage }: { id: string; stage: Stage },
): Promise<{ seq: number; run: number } | undefined> {
  const [row] = await database.query<{ seq: number; run: number }>(
    `select seq, run from gateway.events
     where presentation_id = $1 and kind = 'stage' and data::json->>'stage' = $2
     order by seq desc limit 1`,
    [id, stage],
  )
  return row
}

/** The number before the first event of a run. */
export async function findRunStart(
  database: Queryable,
  { id, run }: { id: string; run: number },
): Promise<number> {
  const [row] = await database.query<{ seq: number }>(
    `select coalesce((select min(seq) - 1 from gateway.events
       where presentation_id = $1 and run = $2), l.last_seq) as seq
     from gateway.leases l where l.presentation_id = $1`,
    [id, run],
  )
  return row?.seq ?? 0
}
