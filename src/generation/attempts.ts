// What a failed stage means for its run: wait and try the same again, try the stage once more, go
// back to an earlier one, or end.
import { backoffMs, jitterMs } from '../async/backoff.ts'
import type { ProblemCode } from '../contract/problem.ts'
import type { Stage } from '../contract/stages.ts'
import { Problem } from '../domain/problem.ts'
import { maxAttempts } from '../domain/stage.ts'

/**
 * `wait`: upstream is away, nothing was begun. `repeat`: a new attempt of the stage. `restart`: at
 * create. `re-export`. `end`.
 */
export type Decision =
  | { next: 'wait'; waitMs: number; problem: Problem }
  | { next: 'repeat' | 'restart' | 're-export'; waitMs: number; problem: Problem; burns: Stage }
  | { next: 'end'; problem: Problem }

export interface Failure {
  stage: Stage
  error: unknown
  /** Failed attempts of each stage in this run, before this one. */
  failures: Partial<Record<Stage, number>>
  /** How often this stage has waited for upstream in a row. */
  waits: number
  random?: (() => number) | undefined
}

const attemptBackoff = { baseMs: 1_000, maxMs: 30_000 }
// About ten seconds apart at the most: a run goes on within a moment of upstream's return.
const outageBackoff = { baseMs: 1_000, maxMs: 10_000 }
const outageBounds = { minMs: 1_000, maxMs: 30_000 }
// The client reads no longer ones, and the run's own clock goes on meanwhile.
const longestRetryAfterMs = 600_000

export function decide({ stage, error, failures, waits, random }: Failure): Decision {
  const problem = asProblem(error)
  if (problem.failure === 'final') return { next: 'end', problem }
  if (problem.failure === 'outage')
    return { next: 'wait', waitMs: outageWaitMs(problem, waits, random), problem }
  // A file that isn't whole is the export's fault; fetching the same one again would only show it
  // again.
  const burns = problem.failure === 'bad-file' ? 'export' : stage
  const failed = (failures[burns] ?? 0) + 1
  if (failed >= maxAttempts[burns]) return { next: 'end', problem: endOf(problem) }
  const asked = Math.min(longestRetryAfterMs, (problem.retryAfterSeconds ?? 0) * 1000)
  const waitMs = Math.max(asked, backoffMs(failed, attemptBackoff, random))
  if (problem.failure === 'gone') return { next: 'restart', waitMs, problem, burns }
  if (problem.failure === 'bad-file') return { next: 're-export', waitMs, problem, burns }
  return { next: 'repeat', waitMs, problem, burns }
}

/**
 * An open circuit says when it will let a call through: to ask earlier is in vain, and each wait in
 * vain makes the next one later.
 */
function outageWaitMs(
  { retryAfterSeconds }: Problem,
  waits: number,
  random: (() => number) | undefined,
): number {
  const growing = Math.min(outageBackoff.maxMs, outageBackoff.baseMs * 2 ** Math.min(waits, 10))
  const spread = jitterMs(growing, random)
  const asked =
    retryAfterSeconds === undefined ? spread : retryAfterSeconds * 1000 + Math.round(spread / 10)
  return Math.min(outageBounds.maxMs, Math.max(outageBounds.minMs, asked))
}

const endingCodes: ReadonlySet<ProblemCode> = new Set([
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_REJECTED',
  'STORAGE_UNAVAILABLE',
  'INTERNAL_ERROR',
])

/**
 * With its attempts used up a run says that it took too long, or that something failed; "cannot be
 * reached" would be waited for.
 */
function endOf(problem: Problem): Problem {
  return endingCodes.has(problem.code) ? problem : new Problem('UPSTREAM_ERROR', { cause: problem })
}

/**
 * Whatever else was thrown is a fault of ours: repeated within its bounds like any other, since a
 * repetition may do.
 */
function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('INTERNAL_ERROR', { cause: error })
}
