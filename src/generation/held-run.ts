// Drives a run that a worker holds until it ends or the worker has to leave it, and releases the
// lease of one that another worker is to continue.

import { anySignal } from '../async/signals.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { type Run, releaseLease } from '../database/leases.ts'
import { retryDuringOutage } from '../database/outages.ts'
import { createRunLog, leaseLost } from '../database/run-log.ts'
import { createSharedWrites } from '../database/shared-writes.ts'
import { Problem } from '../domain/problem.ts'
import { type Context, createContext, type RunDependencies } from './context.ts'
import type { LeasedRun } from './lease-keeper.ts'
import { driveRun, failRun } from './run.ts'
import { type RunSpan, reportFirstSlide } from './spans.ts'

export interface HeldRun extends LeasedRun {
  done: Promise<void>
  /** Undefined until the run is being driven. */
  context: Context | undefined
}

export interface DriveHeldRunOptions {
  dependencies: RunDependencies
  /** The connection of the leases. */
  renewals: Pick<Database, 'query'>
  channels: Pick<Channels, 'publish'>
  leaseMs: number
  /** Aborts when the worker stops: runs are then left at their next checkpoint. */
  stopping: AbortSignal
}

/** The abort reason of a run that this worker gives back. */
export const released = Symbol('released')

// At shutdown a database that is away gets this long; then the leases expire by themselves.
export const releaseTimeoutMs = 5_000

export function createDriveHeldRun(options: DriveHeldRunOptions) {
  const { dependencies, renewals, channels, leaseMs, stopping } = options
  const { database, logger } = dependencies
  const shared = createSharedWrites({ database })

  function openContext(
    { run, abandon }: HeldRun,
    deadline: AbortSignal,
    span: RunSpan | undefined,
  ): Context {
    const log = createRunLog({
      database,
      channels,
      run,
      leaseMs,
      shared,
      signal: abandon.signal,
      onLost: () => abandon.abort(leaseLost),
    })
    return createContext({
      run,
      log,
      dependencies: reportFirstSlide(dependencies, span),
      signal: anySignal(abandon.signal, deadline),
      logger: logger.child({ presentation_id: run.id, run: run.run }),
      onBackoff: () => {
        if (stopping.aborted) abandon.abort(released)
      },
    })
  }

  /** Rejects never: what goes wrong is logged, and the run taken over once its lease expires. */
  async function drive(held: HeldRun, span: RunSpan | undefined): Promise<void> {
    const { run } = held
    const deadline = new AbortController()
    const leftMs = Math.max(0, dependencies.limits.runTimeoutMs - run.usedMs)
    const timer = setTimeout(() => deadline.abort(new Problem('RUN_TIMEOUT')), leftMs)
    const context = openContext(held, deadline.signal, span)
    held.context = context
    context.logger.info({ stage: run.stage, takeovers: run.takeovers }, 'run claimed')
    try {
      if (span) await span.save(context)
      const outcome = await driveRun(context, () => stopping.aborted)
      span?.setOutcome(outcome)
      context.logger.info({ outcome }, 'run left')
      if (outcome === 'stopped') await release(run)
    } catch (error) {
      if (held.abandon.signal.aborted) await leaveAbandoned(held, context, span)
      else if (deadline.signal.aborted) await failOverdue(context, deadline.signal.reason)
      else if (error !== leaseLost) {
        // A bug, or a database that refuses us. The lease expires and the run is taken over.
        span?.setOutcome('broke off')
        context.logger.error({ err: error }, 'run broke off')
      }
    } finally {
      clearTimeout(timer)
    }
  }

  async function leaveAbandoned(
    { run, abandon }: HeldRun,
    context: Context,
    span: RunSpan | undefined,
  ): Promise<void> {
    const isReleased = abandon.signal.reason === released
    const reason = isReleased ? 'released' : 'lease lost'
    span?.setOutcome(reason)
    context.logger.info({ reason }, 'run left')
    if (isReleased) await release(run)
  }

  async function failOverdue(context: Context, timeout: Problem): Promise<void> {
    await failRun(context, timeout).catch((failure) =>
      context.logger.error({ err: failure }, 'ending a run failed'),
    )
  }

  async function release(run: Run): Promise<void> {
    try {
      const timeout = AbortSignal.timeout(releaseTimeoutMs)
      await retryDuringOutage(timeout, () => releaseLease(renewals, run))
      channels.publish('queue', {})
    } catch (error) {
      const context = { err: error, presentation_id: run.id, run: run.run }
      logger.warn(context, 'releasing a lease failed')
    }
  }

  return drive
}
