// How a run ends. Every terminal state goes through `createEndRun`: a finished or failed run writes
// it under its lease, a cancel and an overdue run write it under the lock of the lease row.

import { type EncodedEvent, encodeEvent } from '../contract/events.ts'
import type { Stage } from '../contract/stages.ts'
import { Problem, toRunError } from '../domain/problem.ts'
import { settleCancelled, settleFailed } from './ledger.ts'
import { endRegeneration } from './regenerations.ts'
import {
  databaseNow,
  type EncodedRunWrite,
  type ExtraStatement,
  type RunChanges,
} from './run-write.ts'
import type { RunKind } from './schema/presentations.ts'
import { endEdit } from './slide-edits.ts'

export interface EndingRun {
  id: string
  userId: string
  run: number
  runKind: RunKind
  slidesDone: number
  /** The stage that failed; the terminal event names it. */
  stage?: Stage | null
}

export type RunEnd =
  /** The file is stored; `deck` is the finished deck as upstream gives it. */
  | { outcome: 'completed'; deck: object }
  | { outcome: 'failed'; problem: Problem }
  | { outcome: 'cancelled' }

/**
 * Statements that report the end of a run elsewhere, for example a row of an outbox. They join the
 * transaction that ends the run, so the report exists exactly when the end does.
 */
export type ReportRunEnd = (run: EndingRun, end: RunEnd) => EncodedRunWrite['extraStatements']

export type EndRun = ReturnType<typeof createEndRun>

/** The returned function makes the write that ends a run with one terminal event. */
export function createEndRun(reports: ReportRunEnd[] = []) {
  return function endRun(run: EndingRun, end: RunEnd): EncodedRunWrite {
    return {
      events: [terminalEvent(run, end)],
      changes: { ...finalState(run, end), endedAt: databaseNow },
      extraStatements: [
        ...(run.runKind === 'edit' ? [endEdit] : []),
        ...(run.runKind === 'regenerate' ? [endRegeneration(end.outcome)] : []),
        ...settleQuota(run, end),
        ...reports.flatMap((report) => report(run, end)),
      ],
      release: true,
      stopClock: false,
    }
  }
}

const cancelled = new Problem('CANCELLED')

function terminalEvent({ run, stage }: EndingRun, end: RunEnd): EncodedEvent {
  if (end.outcome === 'completed') {
    return encodeEvent('complete', { presentation: { ...end.deck } }, { run })
  }
  if (end.outcome === 'cancelled') return encodeEvent('error', toRunError(cancelled), { run })
  return encodeEvent('error', toRunError(end.problem), { run, stage: stage ?? undefined })
}

function finalState({ runKind }: EndingRun, end: RunEnd): RunChanges {
  const finished = { status: 'completed', stage: null, progress: 1 } as const
  if (end.outcome === 'completed') {
    const first = runKind === 'deck' && { revision: 1 }
    return { ...finished, ...first, error: null, completedAt: databaseNow }
  }
  // A failed or cancelled run of another kind leaves the deck completed.
  if (runKind === 'export') {
    return { ...finished, error: end.outcome === 'failed' ? toRunError(end.problem) : null }
  }
  if (runKind === 'edit' || runKind === 'regenerate') {
    const problem = end.outcome === 'failed' ? end.problem : cancelled
    return { ...finished, editFinished: true, error: toRunError(problem) }
  }
  if (end.outcome === 'cancelled') return { status: 'cancelled', error: toRunError(cancelled) }
  return { status: 'failed', error: toRunError(end.problem) }
}

function settleQuota({ runKind, slidesDone }: EndingRun, { outcome }: RunEnd): ExtraStatement[] {
  // The slides stage has settled the slides of a completed deck.
  if (runKind !== 'deck' || outcome === 'completed') return []
  return outcome === 'failed' ? [settleFailed(slidesDone)] : [settleCancelled]
}
