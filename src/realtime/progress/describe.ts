// The state of a run as the `data` of a `job_progress` message, with sentences for people.

import type { Progress } from '../../contract/realtime.ts'
import type { Stage } from '../../contract/stages.ts'
import { estimateCompletion } from '../../domain/estimate.ts'
import type { RunError } from '../../domain/problem.ts'
import type { JobRow, StateEventRow } from './statements.ts'

const steps: Record<Stage, string> = {
  create: 'Creating the presentation',
  outlines: 'Writing the outlines',
  prepare: 'Preparing the slides',
  slides: 'Generating slides',
  edit: 'Editing the slide',
  export: 'Exporting the file',
  store: 'Storing the file',
}

export function toProgress(row: JobRow): Progress {
  return {
    status: row.status,
    stage: row.stage,
    progress: row.progress,
    ...describe(row),
    slides_done: row.slidesDone,
    n_slides: row.nSlides,
    queue_position: row.queuePosition,
    estimated_completion: estimateCompletion(row)?.toISOString() ?? null,
    error: row.error,
  }
}

function describe(row: JobRow): Pick<Progress, 'current_step' | 'message'> {
  const { status, stage, error, slidesDone, nSlides, queuePosition } = row
  switch (status) {
    case 'queued':
      return {
        current_step: 'Waiting in the queue',
        message: queuePosition === null ? 'Waiting' : `Place ${queuePosition} in the queue`,
      }
    case 'running':
      if (stage === null) return { current_step: 'Starting', message: 'The run starts' }
      return {
        current_step: steps[stage],
        message: stage === 'slides' ? `Slide ${slidesDone} of ${nSlides}` : steps[stage],
      }
    case 'awaiting_outlines':
      return {
        current_step: 'Waiting for approval',
        message: 'The outlines are ready for your approval',
      }
    case 'completed':
      return {
        current_step: 'Ready',
        message: error ? error.detail : `${slidesDone} ${slidesDone === 1 ? 'slide' : 'slides'}`,
      }
    case 'failed':
      return { current_step: 'Failed', message: error?.detail ?? 'The run failed.' }
    case 'cancelled':
      return { current_step: 'Cancelled', message: error?.detail ?? 'The run was cancelled.' }
  }
}

/**
 * The last state of an earlier run, from its terminal event. `known` is the latest known state: of
 * that run, or of the run before it.
 */
export function rowAtEnd(known: JobRow, { run, event }: StateEventRow): JobRow {
  // Only a completed presentation gets a further export, and only others get a retry.
  const isNext = run > known.run
  const runKind = !isNext ? known.runKind : known.status === 'completed' ? 'export' : 'deck'
  const base: JobRow = {
    ...known,
    run,
    runKind,
    stage: null,
    progress: isNext ? 0 : known.progress,
    queuePosition: null,
    estimate: null,
    error: null,
  }
  if (event.type === 'complete') return { ...base, status: 'completed', progress: 1 }
  const { code = 'INTERNAL_ERROR', detail = '', retryable = false } = event
  const error: RunError = { code, detail, retryable }
  const isCancelled = code === 'CANCELLED'
  if (runKind !== 'deck') {
    return {
      ...base,
      status: 'completed',
      progress: 1,
      error: isCancelled && runKind === 'export' ? null : error,
    }
  }
  const stage = event.stage ?? (isNext ? null : known.stage)
  return { ...base, stage, status: isCancelled ? 'cancelled' : 'failed', error }
}

/** The state after one event of the log. `known` is the state before it. */
export function rowAfter(known: JobRow, given: StateEventRow): JobRow {
  const { run, event } = given
  const isNext = run > known.run
  const next = { run, runKind: known.status === 'completed' ? 'export' : 'deck' } as const
  const base = isNext ? { ...known, ...next, progress: 0, error: null } : known
  switch (event.type) {
    case 'queued':
      // Runs of other kinds show as running from their start, in a stage that the log tells next.
      return base.runKind === 'deck' ? { ...base, status: 'queued', stage: null } : base
    case 'stage':
      return { ...base, status: 'running', stage: event.stage ?? null }
    case 'awaiting_outlines':
      return { ...base, status: 'awaiting_outlines', stage: null }
    case 'outlines':
      // Written by the run itself, and once more by the approval, which queues it.
      return known.status === 'awaiting_outlines'
        ? { ...base, status: 'queued', stage: 'prepare' }
        : base
    default:
      return rowAtEnd(known, given)
  }
}
