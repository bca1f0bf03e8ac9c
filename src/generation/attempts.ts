// Decides what a failed stage means for its run: wait, repeat the stage, go back, or end.

import { backoffMs, jitterMs } from '../async/backoff.ts'
import type { ProblemCode } from '../contract/problem.ts'
import type { Stage } from '../contract/stages.ts'
import { Problem } from '../domain/problem.ts'
import { maxAttempts, maxLimitWaitMs } from '../domain/stage.ts'

export type Decision =
  /** Upstream is away and nothing was started: the same attempt again. */
  | { next: 'wait'; waitMs: number; problem: Problem }
  /** The model is at its limit: the stage starts again, visibly, but burns no attempt. */
  | { next: 'start-again'; waitMs: number; problem: Problem }
  /** A further attempt of the stage; from create on; or of the export. Each burns an attempt. */
  | { next: 'repeat' | 'restart' | 're-export'; waitMs: number; problem: Problem; burns: Stage }
  | { next: 'end'; problem: Problem }

export interface Failure {
  stage: Stage
  error: unknown
  /** Failed attempts of each stage in this run, before this one. */
  failures: Partial<Record<Stage, number>>
  /** How often this stage has waited for upstream in a row. */
  waits: number
  /** How long this stage of the run has waited for limits of the model, in ms. */
  limitWaitedMs?: number | undefined
  random?: (() => number) | undefined
}

const attemptBackoff = { baseMs: 1_000, maxMs: 30_000 }
// At most about ten seconds apart, so that a run continues soon after upstream is back.
const outageBackoff = { baseMs: 1_000, maxMs: 10_000 }
const limitBackoff = { minMs: 1_000, firstMs: 15_000, maxMs: 60_000, spread: 0.25 }
const outageBounds = { minMs: 1_000, maxMs: 30_000 }
// Upstream's client reads no longer Retry-After, and the run's clock continues during the wait.
const maxRetryAfterMs = 600_000

export function decide(failure: Failure): Decision {
  const { stage, error, failures, waits, limitWaitedMs = 0, random } = failure
  const problem = asProblem(error)
  if (problem.failure === 'final') return { next: 'end', problem }
  if (problem.failure === 'outage' || problem.failure === 'credentials') {
    return { next: 'wait', waitMs: outageWaitMs(problem, waits, random), problem }
  }
  if (problem.failure === 'limit' && limitWaitedMs < maxLimitWaitMs) {
    const waitMs = limitWaitMs(problem, limitWaitedMs, random)
    return {
      next: 'start-again',
      waitMs: Math.min(waitMs, maxLimitWaitMs - limitWaitedMs),
      problem,
    }
  }
  // An incomplete file is a fault of the export; fetching it again would give the same file.
  const burns = problem.failure === 'bad-file' ? 'export' : stage
  const failed = (failures[burns] ?? 0) + 1
  if (failed >= maxAttempts[burns]) return { next: 'end', problem: finalProblem(problem) }
  const retryAfterMs = Math.min(maxRetryAfterMs, (problem.retryAfterSeconds ?? 0) * 1000)
  const waitMs = Math.max(retryAfterMs, backoffMs(failed, attemptBackoff, random))
  if (problem.failure === 'gone') return { next: 'restart', waitMs, problem, burns }
  if (problem.failure === 'bad-file') return { next: 're-export', waitMs, problem, burns }
  return { next: 'repeat', waitMs, problem, burns }
}

/** An open circuit says when it lets a call through; a call before that only wastes a wait. */
function outageWaitMs(
  { retryAfterSeconds }: Problem,
  waits: number,
  random: (() => number) | undefined,
): number {
  const { baseMs, maxMs } = outageBackoff
  const spread = jitterMs(Math.min(maxMs, baseMs * 2 ** Math.min(waits, 10)), random)
  const waitMs =
    retryAfterSeconds === undefined ? spread : retryAfterSeconds * 1000 + Math.round(spread / 10)
  return Math.min(outageBounds.maxMs, Math.max(outageBounds.minMs, waitMs))
}

/**
 * The time that the provider asks for, or some tens of seconds. It grows with the time waited so
 * far, up to a minute, since a provider may promise less than it needs.
 */
function limitWaitMs(
  { retryAfterSeconds }: Problem,
  waitedMs: number,
  random: () => number = Math.random,
): number {
  const { minMs, maxMs, firstMs } = limitBackoff
  const hintMs = retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000
  const growingMs = Math.min(maxMs, Math.max(waitedMs, hintMs ?? firstMs))
  const baseMs = Math.max(minMs, hintMs ?? 0, growingMs)
  // Only later: the provider counts to its hint.
  return Math.round(baseMs * (1 + random() * limitBackoff.spread))
}

const finalCodes: ReadonlySet<ProblemCode> = new Set([
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_REJECTED',
  'STORAGE_UNAVAILABLE',
  'INTERNAL_ERROR',
])

/** A run without attempts left failed: a code that promises to wait would be wrong. */
export function finalProblem(problem: Problem): Problem {
  return finalCodes.has(problem.code) ? problem : new Problem('UPSTREAM_ERROR', { cause: problem })
}

/** Any other error is a bug of ours, repeated within the same bounds since a repeat may succeed. */
function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('INTERNAL_ERROR', { cause: error })
}
