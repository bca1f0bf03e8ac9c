// Drives one claimed run from its last checkpoint to its end. Everything it writes is fenced by its
// lease: when that is lost, the run stops here without a word, because somebody else goes on with
// it or has ended it.

import type { Stage } from '../contract/stages.ts'
import { markPaid, settleFailed } from '../database/ledger.ts'
import { Problem, toRunError } from '../domain/problem.ts'
import { maxTakeovers, paidStages } from '../domain/stage.ts'
import { type Decision, decide } from './attempts.ts'
import type { Context } from './context.ts'
import { recoverSlides } from './recover-slides.ts'
import { create } from './stages/create.ts'
import { exportDeck } from './stages/export.ts'
import { outlines } from './stages/outlines.ts'
import { prepare } from './stages/prepare.ts'
import { finishSlides, slides } from './stages/slides.ts'
import { store } from './stages/store.ts'
import { waitBeforeRetry } from './wait-before-retry.ts'

type Perform = (context: Context) => Promise<unknown>

const perform: Record<Stage, Perform> = {
  create,
  outlines,
  prepare,
  slides,
  export: exportDeck,
  store,
}

/**
 * How a drive ended: the run is over (or waits for its reader), or it stopped at a checkpoint
 * because it was asked to.
 */
export type Outcome = 'ended' | 'in-review' | 'stopped'

/**
 * `shouldStop` is asked at every checkpoint: a replica that shuts down hands its runs back there.
 */
export async function driveRun(context: Context, shouldStop: () => boolean): Promise<Outcome> {
  const { run } = context
  if (run.takeovers > maxTakeovers) return end(context, new Problem('INTERRUPTED'))
  for (;;) {
    if (shouldStop()) return 'stopped'
    const stage = nextStage(context)
    if (stage === 'review') return review(context)
    const result =
      stage === 'slides' && run.deckStreamed
        ? await useRecoveredSlides(context)
        : await performStage(context, stage)
    if (result instanceof Problem) return end(context, result)
    if (stage === 'store' && result === 'finished') return 'ended'
  }
}

/**
 * Ends the run badly: one terminal event, with the state that belongs to it, and the lease given
 * back.
 */
export async function end(context: Context, problem: Problem): Promise<Outcome> {
  const { run } = context
  const error = toRunError(problem)
  context.logger.warn({ code: problem.code, stage: run.stage, err: problem.cause }, 'run failed')
  await context.log.commit({
    events: [{ ...context.event('error', { ...error }), terminal: true }],
    // A further export that fails leaves the deck and its files as they were.
    changes:
      run.runKind === 'export'
        ? { status: 'completed', error, stage: null, progress: 1 }
        : { status: 'failed', error },
    ...(run.runKind === 'deck' ? { extraStatements: [settleFailed(run.slidesDone)] } : {}),
    release: true,
  })
  return 'ended'
}

/** What the checkpoints say comes next. */
function nextStage({ run }: Context): Stage | 'review' {
  if (run.runKind === 'export') return run.exportPath === null ? 'export' : 'store'
  if (run.deckId === null) return 'create'
  if (run.outlines === null) return 'outlines'
  if (run.reviewOutlines && !run.outlinesApproved) return 'review'
  if (!run.deckPrepared) return 'prepare'
  if (!run.slidesFinished) return 'slides'
  return run.exportPath === null ? 'export' : 'store'
}

/**
 * One attempt of a stage, with all its waiting for upstream. A Problem ends the run; after 'failed'
 * the checkpoints tell what is next.
 */
async function performStage(
  context: Context,
  stage: Stage,
  act = perform[stage],
): Promise<'finished' | 'failed' | Problem> {
  await start(context, stage)
  for (let waits = 0; ; waits += 1) {
    const startedMs = performance.now()
    const settle = (outcome: string) =>
      context.onStage?.(stage, outcome, (performance.now() - startedMs) / 1000)
    try {
      await act(context)
      settle('ok')
      context.logger.info(
        { stage, ms: Math.round(performance.now() - startedMs) },
        'stage finished',
      )
      return 'finished'
    } catch (error) {
      // The lease is gone, the run's time is up, or this replica gives it up: not the stage's
      // failure.
      context.signal.throwIfAborted()
      const decision = decide({
        stage,
        error,
        failures: context.run.failures,
        waits,
        random: context.random,
      })
      settle(decision.problem.code)
      context.logger.warn(
        {
          stage,
          code: decision.problem.code,
          next: decision.next,
          err: decision.problem.cause ?? decision.problem,
        },
        'stage failed',
      )
      if (decision.next === 'end' || !canGoTo(context, decision.next)) return decision.problem
      if (decision.next !== 'wait') {
        await goBack(context, decision)
        return 'failed'
      }
      await waitBeforeRetry(decision.problem, decision.waitMs, context)
      await context.assertHeld()
    }
  }
}

/**
 * A further export makes no deck: when upstream has lost it, there is nothing to begin again with.
 */
function canGoTo({ run }: Context, next: Decision['next']): boolean {
  return !(next === 'restart' && run.runKind === 'export')
}

/**
 * Before a second start of the slides: what the first one left is shown as they are, or the deck is
 * given up for a fresh one.
 */
async function useRecoveredSlides(context: Context): Promise<'finished' | 'failed' | Problem> {
  try {
    const kept = await recoverSlides(context)
    return kept ? performStage(context, 'slides', () => finishSlides(context, kept)) : 'failed'
  } catch (error) {
    if (error instanceof Problem && !context.signal.aborted) return error
    throw error
  }
}

async function start(context: Context, stage: Stage): Promise<void> {
  const { run } = context
  const attempt = (run.starts[stage] ?? 0) + 1
  run.starts = { ...run.starts, [stage]: attempt }
  run.stage = stage
  const progress = context.progressAt(stage)
  if (stage === 'slides' && !run.deckStreamed) run.slidesDone = 0
  const events = [context.event('stage', { attempt, progress }, stage)]
  const changes = { stage, attempt, progress, starts: run.starts, slides_done: run.slidesDone }
  // What costs money is on record before it is asked for: a cancel comes before it, or finds it in
  // the ledger. And a worker that has lost its lease while it was stopped learns of it here, not
  // from what it does outside.
  await context.commit(events, changes, paidStages.has(stage) ? [markPaid] : [])
}

/**
 * Burns an attempt, clears the checkpoints that have to be made anew, and waits before the next
 * one.
 */
async function goBack(
  context: Context,
  decision: Extract<Decision, { burns: Stage }>,
): Promise<void> {
  const { run } = context
  run.failures = { ...run.failures, [decision.burns]: (run.failures[decision.burns] ?? 0) + 1 }
  await context.append([], { failures: run.failures })
  if (decision.next === 'restart') {
    Object.assign(run, {
      deckId: null,
      deckPrepared: false,
      deckStreamed: false,
      slidesFinished: false,
      path: null,
    })
    await context.append([], {
      presenton_presentation_id: null,
      deck_prepared: false,
      deck_streamed: false,
      slides_finished: false,
      presenton_path: null,
    })
  }
  if (decision.next === 're-export') {
    run.exportPath = null
    await context.append([], { presenton_path: null })
  }
  await waitBeforeRetry(decision.problem, decision.waitMs, context)
}

/**
 * Waits for the outlines to be approved: without a slot, without a lease, and with the run's clock
 * standing still.
 */
async function review(context: Context): Promise<Outcome> {
  const rows = await context.database.query<{ until: Date }>(
    `select (now() + make_interval(hours => $1))::timestamptz(3) as until`,
    [context.limits.outlinesReviewHours],
  )
  const until = rows[0]?.until ?? new Date()
  await context.log.commit({
    events: [context.event('awaiting_outlines', { expires_at: until.toISOString() }, null)],
    changes: { status: 'awaiting_outlines', stage: null },
    extraStatements: [
      {
        text: 'update gateway.presentations set review_expires_at = $2 where id = $1',
        values: [until],
      },
    ],
    release: true,
  })
  return 'in-review'
}
