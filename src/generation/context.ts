// What a stage works with: the run's present state, the log it writes to, the dependencies world,
// and the signal it must obey.

import { sleep } from '../async/signals.ts'
import { encodeUpstreamEvent } from '../contract/events.ts'
import type { Stage } from '../contract/stages.ts'
import type { Database } from '../database/connection.ts'
import type { Run } from '../database/leases.ts'
import { createOutageTolerantDatabase } from '../database/outages.ts'
import type { ExtraStatement, RunChanges, RunEvent, RunLog } from '../database/run-log.ts'
import { progressOf } from '../domain/stage.ts'
import type { ObjectStore } from '../objects/store.ts'
import { sharedAccount, type UpstreamAccount } from '../presenton/account.ts'
import type { Presenton } from '../presenton/client.ts'
import type { Logger } from '../telemetry/logging.ts'

export interface RunDependencies {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Presenton
  objects: ObjectStore
  logger: Logger
  limits: {
    runTimeoutMs: number
    maxFileBytes: number
    downloadLinkSeconds: number
    outlinesReviewHours: number
  }
  waits?: RetryTiming
  onStage?: (stage: Stage, outcome: string, seconds: number) => void
  onFirstSlide?: (seconds: number) => void
  onBytesCopied?: (bytes: number) => void
}

/** The waits between attempts are arguments, so that tests drive them; real ones without. */
export interface RetryTiming {
  random?: () => number
  sleep?: typeof sleep
}

export type Context = ReturnType<typeof createContext>

export interface ContextOptions {
  run: Run
  log: RunLog
  dependencies: RunDependencies
  signal: AbortSignal
  logger: Logger
  /** The run begins to wait before another try. */
  onBackoff?: () => void
}

export function createContext({ onBackoff, ...input }: ContextOptions) {
  const { run, log, signal } = input
  const { waits = {}, ...dependencies } = input.dependencies
  let resting = false

  /** The wait before another attempt; rejects when the run's signal aborts. */
  async function wait(ms: number): Promise<void> {
    resting = true
    try {
      onBackoff?.()
      await (waits.sleep ?? sleep)(ms, signal)
    } finally {
      resting = false
    }
  }

  /** The event of `type` in the present stage, or (`stage: null`) of the run as a whole. */
  function event(
    type: string,
    fields: Record<string, unknown>,
    stage: Stage | null = run.stage,
  ): RunEvent {
    return {
      data: encodeUpstreamEvent(type, fields, { run: run.run, stage: stage ?? undefined }).data,
    }
  }

  /** Progress as it may be shown: it never falls within a run, whatever has to be done again. */
  function progressAt(stage: Stage, slides?: { done: number; total: number }): number {
    run.progress = Math.max(run.progress, progressOf(stage, slides))
    return run.progress
  }

  return {
    ...dependencies,
    ...input,
    /** The account at Presenton that the run acts for. */
    account: sharedAccount as UpstreamAccount,
    random: waits.random,
    /** Reads what is not in the log, however long the database is away. */
    database: createOutageTolerantDatabase(dependencies.database, signal),
    wait,
    isResting: () => resting,
    event,
    progressAt,
    /** Queues events and changes; waits only when the database is far behind. */
    append: (events: RunEvent[], changes: RunChanges = {}) => log.append({ events, changes }),
    /** A checkpoint: resolves once events, changes and extraStatements are committed together. */
    commit: (
      events: RunEvent[],
      changes: RunChanges = {},
      extraStatements: ExtraStatement[] = [],
    ) => log.commit({ events, changes, extraStatements }),
    /**
     * Rejects when the lease is not ours any more. For before something is begun dependencies after
     * a pause, however that came about.
     */
    assertHeld: () => log.commit({}),
    /** A `status` event: what the run is waiting for, for people. */
    status: (status: string, more: { code?: string; retry_in_seconds?: number } = {}) =>
      log.append({ events: [event('status', { status, ...more })] }),
  }
}
