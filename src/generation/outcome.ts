// How a worker leaves a run, and how a stage ends.

import type { Problem } from '../domain/problem.ts'

/**
 * The run is over, waits for its outlines to be approved, is queued again because others need its
 * slot, or stopped at a checkpoint on request.
 */
export type Outcome = 'ended' | 'in-review' | 'queued-again' | 'stopped'

/** A Problem ends the run; after 'failed' the checkpoints say what is next. */
export type StageResult = 'finished' | 'failed' | Problem
