// When a run will probably be completed: what is left of it, at the pace of the latest runs.

import type { Status } from '../contract/presentation.ts'
import { type Stage, stages } from '../contract/stages.ts'

export interface EstimateInputs {
  /**
   * Median ms of each stage, of one slide for the stage slides; null while too few runs are known.
   */
  medians: Partial<Record<Stage, number | null>> | null
  /** What follows the last checkpoint. */
  nextStage: Stage
  /** The stage outlines is skipped. */
  hasOutlines: boolean
  /** When the current stage was entered, in ms since the epoch. */
  since: number | null
  /** Runs of the installation that have a slot. */
  running: number
}

export interface EstimatedRun {
  status: Status
  stage: Stage | null
  nSlides: number
  slidesDone: number
  queuePosition: number | null
  /** Null unless it is queued or running. */
  estimate: EstimateInputs | null
}

/** An estimate that a slow connection delays must still be in the future. */
const minAheadMs = 2_000

export function estimateCompletion(run: EstimatedRun, nowMs = Date.now()): Date | null {
  const { status, stage, queuePosition, estimate } = run
  if (!estimate?.medians || (status !== 'queued' && status !== 'running')) return null
  const current = status === 'running' ? stage : null
  const [first = estimate.nextStage, ...later] = stagesFrom(current ?? estimate.nextStage, estimate)
  const elapsedMs =
    current === null || first === 'slides' || estimate.since === null
      ? 0
      : Math.max(0, nowMs - estimate.since)
  const leftMs =
    waitInQueueMs(queuePosition, estimate, run) +
    Math.max(0, stageMs(first, run) - elapsedMs) +
    later.reduce((sum, each) => sum + stageMs(each, run), 0)
  return new Date(nowMs + Math.max(minAheadMs, Math.round(leftMs)))
}

function stagesFrom(first: Stage, { hasOutlines }: EstimateInputs): Stage[] {
  return stages
    .slice(stages.indexOf(first))
    .filter((stage) => stage === first || stage !== 'outlines' || !hasOutlines)
}

function stageMs(stage: Stage, { estimate, nSlides, slidesDone, status }: EstimatedRun): number {
  const ms = estimate?.medians?.[stage] ?? 0
  if (stage !== 'slides') return ms
  const done = status === 'running' ? slidesDone : 0
  return ms * Math.max(0, nSlides - done)
}

/** Slots become free one after the other, evenly spread over the time of an average run. */
function waitInQueueMs(
  position: number | null,
  { running }: EstimateInputs,
  run: EstimatedRun,
): number {
  if (position === null) return 0
  const wholeRunMs = stages.reduce((sum, stage) => sum + stageMs(stage, run), 0)
  return running === 0 ? (position - 1) * wholeRunMs : (position * wholeRunMs) / running
}
