// Drives one claimed run from its last checkpoint to its end. Every write is fenced by the lease.
// When the lease is lost the run stops without a write: another worker continues or has ended it.

import type { Stage } from '../contract/stages.ts'
import { advanceClock } from '../database/durations.ts'
import { markPaid } from '../database/ledger.ts'
import { noteExportRevision } from '../database/uploads.ts'
import { Problem } from '../domain/problem.ts'
import { maxSlideStreams, maxTakeovers, paidStages } from '../domain/stage.ts'
import { deckGone } from '../presenton/decks.ts'
import { type Decision, decide, finalProblem } from './attempts.ts'
import type { Checkpoint, Context } from './context.ts'
import { completeWithoutFile } from './finished-deck.ts'
import { reportModelFailure, reportStageDone } from './model-troubles.ts'
import { nextStage } from './next-stage.ts'
import type { Outcome, StageResult } from './outcome.ts'
import { recoverSlides } from './recover-slides.ts'
import { reportFailure } from './report-failure.ts'
import { makesSlides, withNewDeck } from './run-state.ts'
import { SlotGivenUp } from './slot.ts'
import { inAttemptSpan, inStageSpan } from './spans.ts'
import { create } from './stages/create.ts'
import { edit } from './stages/edit.ts'
import { exportDeck } from './stages/export.ts'
import { outlines } from './stages/outlines.ts'
import { prepare } from './stages/prepare.ts'
import { finishSlides, slides } from './stages/slides.ts'
import { store } from './stages/store.ts'
import { readReviewDeadline } from './statements/review.ts'
import { waitBeforeRetry } from './wait-before-retry.ts'

const stageFunctions: Record<Stage, (context: Context) => Promise<unknown>> = {
  create,
  outlines,
  prepare,
  slides,
  edit,
  export: exportDeck,
  store,
}

/** `shouldStop` is asked at every checkpoint: a replica that shuts down releases its runs there. */
export async function driveRun(context: Context, shouldStop: () => boolean): Promise<Outcome> {
  try {
    return await driveStages(context, shouldStop)
  } catch (error) {
    if (!(error instanceof SlotGivenUp) || context.signal.aborted) throw error
    return queueAgain(context, error)
  }
}

async function driveStages(context: Context, shouldStop: () => boolean): Promise<Outcome> {
  const { run } = context
  if (run.takeovers > maxTakeovers) return failRun(context, new Problem('INTERRUPTED'))
  for (;;) {
    if (shouldStop()) return 'stopped'
    const stage = nextStage(run)
    if (stage === 'review') return startReview(context)
    if (stage === 'complete') {
      await completeWithoutFile(context)
      return 'ended'
    }
    const isRestart = stage === 'slides' && run.deckStreamed
    const result = isRestart ? await useRecoveredSlides(context) : await runStage(context, stage)
    if (result instanceof Problem) return failRun(context, result)
    if (stage === 'store' && result === 'finished') return 'ended'
  }
}

/** Ends the run badly: one terminal event with the state that belongs to it. Releases the lease. */
export async function failRun(context: Context, problem: Problem): Promise<Outcome> {
  const { run, log, endRun } = context
  reportFailure(context, problem)
  // The cancel of an edit waits until upstream has finished.
  const isCancelled = problem.code === 'CANCELLED'
  await log.commit(
    endRun(run, isCancelled ? { outcome: 'cancelled' } : { outcome: 'failed', problem }),
  )
  return 'ended'
}

/**
 * One attempt of a stage, with all its waits for upstream. A Problem ends the run; after 'failed'
 * the checkpoints say what is next.
 */
async function runStage(
  context: Context,
  stage: Stage,
  perform = stageFunctions[stage],
): Promise<StageResult> {
  return inStageSpan(stage, () => attemptStage(context, stage, perform))
}

async function attemptStage(
  context: Context,
  stage: Stage,
  perform: (context: Context) => Promise<unknown>,
): Promise<StageResult> {
  const { logger, onStage } = context
  await startStage(context, stage)
  for (let waits = 0; ; waits += 1) {
    const startedMs = performance.now()
    const observe = (outcome: string) =>
      onStage?.(stage, outcome, (performance.now() - startedMs) / 1000)
    try {
      await inAttemptSpan(context.run, stage, () => perform(context))
      observe('ok')
      context.slot.reset()
      reportStageDone(context.troubles, stage)
      logger.info({ stage, ms: Math.round(performance.now() - startedMs) }, 'stage finished')
      return 'finished'
    } catch (error) {
      // Not a failure of the stage: the lease is lost, the run's time is over, or we shut down.
      context.signal.throwIfAborted()
      const { failures, limitWaitsMs } = context.run
      const limitWaitedMs = limitWaitsMs[stage]
      const { random } = context
      const decision = decide({ stage, error, failures, waits, limitWaitedMs, random })
      const { problem, next } = decision
      reportModelFailure(context.troubles, { stage, problem })
      observe(problem.code)
      const err = problem.cause ?? problem
      logger.warn({ stage, code: problem.code, next, err }, 'stage failed')
      if (next === 'end') return problem
      // An export makes no deck, so it can never succeed without the one that upstream has lost.
      if (next === 'restart' && !mayMakeDeck(context)) {
        return deckGone(problem) as Problem
      }
      if (next === 'start-again') {
        if (stage === 'slides' && hasNoStreamLeft(context)) return finalProblem(problem)
        await waitForLimit(context, stage, decision)
        return 'failed'
      }
      if (next !== 'wait') {
        await startOver(context, decision)
        return 'failed'
      }
      await waitBeforeRetry(problem, decision.waitMs, context)
      await context.assertHeld()
    }
  }
}

/** A deck that was regenerated is the user's, and never made again by itself. */
function mayMakeDeck({ run }: Context): boolean {
  return run.runKind === 'deck' || (makesSlides(run) && !run.slidesFinished)
}

/** Another start of slides needs a fresh deck, which would be paid for without need. */
function hasNoStreamLeft({ run }: Context): boolean {
  return run.deckStreamed && run.slideStreams >= maxSlideStreams
}

/** Waits for the model. What all these waits take together is saved: it is bounded in each stage. */
async function waitForLimit(
  context: Context,
  stage: Stage,
  { problem, waitMs }: { problem: Problem; waitMs: number },
): Promise<void> {
  const { run } = context
  run.limitWaitsMs = { ...run.limitWaitsMs, [stage]: (run.limitWaitsMs[stage] ?? 0) + waitMs }
  await context.append({ changes: { limitWaitsMs: run.limitWaitsMs } })
  await waitBeforeRetry(problem, waitMs, context)
}

/** Shows the slides that an earlier attempt left upstream, or abandons its deck for a fresh one. */
async function useRecoveredSlides(context: Context): Promise<StageResult> {
  try {
    const deck = await recoverSlides(context)
    return deck ? runStage(context, 'slides', () => finishSlides(context, deck)) : 'failed'
  } catch (error) {
    if (error instanceof Problem && !context.signal.aborted) return error
    throw error
  }
}

async function startStage(context: Context, stage: Stage): Promise<void> {
  const { run } = context
  const attempt = (run.starts[stage] ?? 0) + 1
  const progress = context.progressAt(stage)
  const slidesDone = stage === 'slides' && !run.deckStreamed ? 0 : run.slidesDone
  const stageClock = advanceClock(run.stageClock, run.stage, { nowMs: Date.now() })
  const starts = { ...run.starts, [stage]: attempt }
  const state = { stage, progress, slidesDone, starts, stageClock }
  Object.assign(run, state)
  // A cost is recorded before it is incurred: a cancel comes before it, or finds it in the ledger.
  // A worker that lost its lease during a pause also finds out here.
  await context.log.commit({
    events: [context.event('stage', { attempt, progress })],
    changes: { ...state, attempt },
    extraStatements: [
      ...(paidStages.has(stage) ? [markPaid] : []),
      ...(stage === 'export' ? [noteExportRevision] : []),
    ],
  })
}

/** Burns an attempt, clears the checkpoints that have to be made again, and waits. */
async function startOver(
  context: Context,
  { next, burns, problem, waitMs }: Extract<Decision, { burns: Stage }>,
): Promise<void> {
  const { run } = context
  const failures = { ...run.failures, [burns]: (run.failures[burns] ?? 0) + 1 }
  const state: Checkpoint = next === 'restart' ? withNewDeck(run, null) : {}
  state.failures = failures
  if (next === 're-export') state.exportPath = null
  Object.assign(run, state)
  await context.append({ changes: state })
  await waitBeforeRetry(problem, waitMs, context)
}

/** The run waits for approval without a slot and without a lease, and its clock stops. */
async function startReview(context: Context): Promise<Outcome> {
  const { run, database, limits, log } = context
  const expiresAt = await readReviewDeadline(database, limits.outlinesReviewHours)
  const members = { expires_at: expiresAt.toISOString() }
  const stageClock = advanceClock(run.stageClock, run.stage, { nowMs: Date.now(), isStopped: true })
  await log.commit({
    events: [context.event('awaiting_outlines', members, null)],
    changes: {
      status: 'awaiting_outlines',
      stage: null,
      reviewExpiresAt: expiresAt,
      reviewWarned: false,
      stageClock,
    },
    extraStatements: context.reportReview?.(run, expiresAt) ?? [],
    stopClock: true,
    release: true,
  })
  return 'in-review'
}

// The run that needs the slot is claimed first, even if the order of the queue says otherwise.
const minQueuedMs = 5_000

/** The run releases its slot and its lease, and takes its turn again. Its clock continues. */
async function queueAgain(context: Context, { leftMs }: SlotGivenUp): Promise<Outcome> {
  const { run, log } = context
  const sentence = 'Others go first. This presentation is queued again.'
  await log.commit({
    events: [context.event('status', { status: sentence })],
    // A further export shows as running while it is queued, since its deck stays usable.
    changes: { status: run.runKind === 'deck' ? 'queued' : 'running' },
    requeueMs: Math.max(minQueuedMs, Math.round(leftMs)),
    release: true,
  })
  return 'queued-again'
}
