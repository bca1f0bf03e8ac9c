// What a stage works with: the state of its run, the log it writes to, the adapters, and the signal
// that ends it.

import type { sleep } from '../async/signals.ts'
import {
  type EncodedEvent,
  encodeEvent,
  encodeUpstreamEvent,
  type LoggedKind,
  type LoggedMembers,
} from '../contract/events.ts'
import type { ProblemCode } from '../contract/problem.ts'
import type { Stage } from '../contract/stages.ts'
import type { Database } from '../database/connection.ts'
import type { EndRun } from '../database/end-run.ts'
import type { Run } from '../database/leases.ts'
import { createOutageTolerantDatabase } from '../database/outages.ts'
import type { TextEvent } from '../database/pending-events.ts'
import type { RunLog, RunWrite } from '../database/run-log.ts'
import type { RunChanges } from '../database/run-write.ts'
import type { FailureKind } from '../domain/problem.ts'
import { progressOf } from '../domain/stage.ts'
import type { ObjectStore } from '../objects/store.ts'
import { accountOfRow, type UpstreamAccount } from '../presenton/account.ts'
import type { Presenton } from '../presenton/client.ts'
import type { ReportError } from '../telemetry/errors/error-reports.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import { createSlotWaits } from './slot.ts'

export interface RunDependencies {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Presenton
  objects: ObjectStore
  endRun: EndRun
  /** Is told what is wrong with Presenton's model. */
  troubles: Pick<Troubles, 'report' | 'clear'>
  /** The template of briefs that name none. */
  defaultTemplate: string
  /** Statements that report that outlines await approval; they join that write. */
  reportReview?: (run: Pick<Run, 'userId'>, expiresAt: Date) => RunWrite['extraStatements']
  logger: Logger
  limits: {
    runTimeoutMs: number
    maxFileBytes: number
    downloadLinkSeconds: number
    outlinesReviewHours: number
  }
  timing?: RetryTiming
  onStage?: (stage: Stage, outcome: string, seconds: number) => void
  onFirstSlide?: (seconds: number) => void
  onBytesCopied?: (bytes: number) => void
  /** Is told of the errors of runs that end with INTERNAL_ERROR. */
  reportError?: ReportError | undefined
}

/** Replaces the real waits between attempts in tests that drive time. */
export interface RetryTiming {
  random?: () => number
  sleep?: typeof sleep
}

/** The state that a checkpoint saves: what the row and the run in memory have in common. */
export type Checkpoint = Pick<RunChanges, keyof RunChanges & keyof Run>

export type Context = ReturnType<typeof createContext>

export interface ContextOptions {
  run: Run
  log: RunLog
  dependencies: RunDependencies
  signal: AbortSignal
  logger: Logger
  /** Called when the run begins to wait before another attempt. */
  onBackoff?: () => void
}

export function createContext({
  run,
  log,
  dependencies,
  signal,
  logger,
  onBackoff,
}: ContextOptions) {
  const { timing = {}, database, ...others } = dependencies
  const slot = createSlotWaits({ signal, sleepFor: timing.sleep })
  let waitingFor: FailureKind | undefined

  /** Waits before another attempt; rejects when the run has to end or to leave its slot. */
  async function wait(ms: number, failure?: FailureKind): Promise<void> {
    waitingFor = failure
    onBackoff?.()
    await slot.wait(ms)
  }

  const placeOf = (stage: Stage | null) => ({ run: run.run, stage: stage ?? undefined })

  /** An event of the current stage, or (`stage: null`) of the run as a whole. */
  function event<K extends LoggedKind>(
    kind: K,
    members: LoggedMembers<K>,
    stage: Stage | null = run.stage,
  ): EncodedEvent {
    return encodeEvent(kind, members, placeOf(stage))
  }

  /** A piece of the text that the model writes for the outlines; neighbours are joined. */
  function outlineChunk(text: string): TextEvent {
    // The place is that of now: the text is encoded when it is written.
    const place = placeOf(run.stage)
    const encode = (chunk: string) => encodeEvent('outline_chunk', { chunk }, place)
    return { kind: 'outline_chunk', text, encode }
  }

  /** Progress (0..1) for readers: it never falls within a run, also when stages are repeated. */
  function progressAt(stage: Stage, slides?: { done: number; total: number }): number {
    run.progress = Math.max(run.progress, progressOf(stage, slides))
    return run.progress
  }

  return {
    ...others,
    run,
    /** The account in Presenton that owns the run's deck. */
    get account(): UpstreamAccount {
      return accountOfRow(run)
    },
    log,
    signal,
    logger,
    random: timing.random,
    /** For reads that are not in the log: they wait until the database is back. */
    database: createOutageTolerantDatabase(database, signal),
    wait,
    /** What the last wait was for. */
    waitingFor: () => waitingFor,
    slot,
    event,
    outlineChunk,
    /** An event of upstream, of any kind. */
    upstreamEvent: (kind: string, members: Record<string, unknown>) =>
      encodeUpstreamEvent(kind, members, placeOf(run.stage)),
    progressAt,
    /** Queues a write. Waits only when the database is far behind. */
    append: (write: RunWrite) => log.append(write),
    /** Saves state in the row and in the run, together with events and extra statements. */
    checkpoint(state: Checkpoint, write: Omit<RunWrite, 'changes'> = {}): Promise<void> {
      Object.assign(run, state)
      return log.commit({ ...write, changes: state })
    },
    /** Rejects when the lease is lost. Called before work outside begins after a pause. */
    assertHeld: () => log.commit({}),
    /** Tells readers, in a sentence for people, what the run waits for. */
    status: (status: string, more: { code?: ProblemCode; retry_in_seconds?: number } = {}) =>
      log.append({ events: [event('status', { status, ...more })] }),
  }
}
