// The worker of a process: claims runs while it has free slots, drives them, and at shutdown
// finishes paid stages and releases everything else.

import { randomUUID } from 'node:crypto'
import { jitterMs } from '../async/backoff.ts'
import { anySignal, sleep, waitAtMost } from '../async/signals.ts'
import type { Stage } from '../contract/stages.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { claim, hasClaimable, type Run, releaseLease } from '../database/leases.ts'
import { retryDuringOutage } from '../database/outages.ts'
import { createRunLog, leaseLost } from '../database/run-log.ts'
import { createSharedWrites } from '../database/shared-writes.ts'
import { Problem } from '../domain/problem.ts'
import { paidStages } from '../domain/stage.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import { type Context, createContext, type RunDependencies } from './context.ts'
import { type HeldRun as Held, openLeaseKeeper } from './lease-keeper.ts'
import { driveRun, failRun } from './run.ts'
import { createSlotOffers } from './slot-offers.ts'
import { inRunSpan, type RunSpan, reportFirstSlide } from './spans.ts'

export interface WorkerOptions {
  dependencies: RunDependencies
  /** A connection of its own for the leases; `dependencies.database` without it. */
  renewals?: Pick<Database, 'query'>
  channels: Pick<Channels, 'publish' | 'subscribe' | 'subscribeMissed'>
  slots: { maxRunning: number; maxRunningPerUser: number; leaseMs: number }
  tracer?: Tracer | undefined
}

interface HeldRun extends Held {
  done: Promise<void>
  /** Undefined until the run is being driven. */
  context: Context | undefined
}

// Leaving a paid stage before its end loses what it has cost.
const isPaid = (stage: Stage | null) => stage !== null && paidStages.has(stage)

/** The abort reason of a run that this worker gives back. */
const released = Symbol('released')

const pollMs = 800
// After an outage many leases have expired whose holders are alive; they renew first.
const takeoverPauseMs = 2_000
// At shutdown a database that is away gets this long; then the leases expire by themselves.
const releaseTimeoutMs = 5_000

export type Worker = ReturnType<typeof openWorker>

/** Starts claiming at once. */
export function openWorker(options: WorkerOptions) {
  const { dependencies, channels, slots, renewals = options.dependencies.database } = options
  const { database, logger } = dependencies
  const shared = createSharedWrites({ database })
  /** Keyed by token: this process may claim a run again while its earlier holder still stops. */
  const held = new Map<string, HeldRun>()
  const stopping = new AbortController()
  let troubledAtMs = Number.NEGATIVE_INFINITY

  function onTrouble(error: unknown, message: string) {
    troubledAtMs = performance.now()
    logger.warn({ err: error }, message)
  }

  const leases = openLeaseKeeper({
    database: renewals,
    held: () => held.values(),
    leaseMs: slots.leaseMs,
    onTrouble: (error) => onTrouble(error, 'renewing leases failed'),
  })

  const offers = createSlotOffers({
    database,
    presenton: dependencies.presenton,
    held: () => held.values(),
    slots,
    signal: stopping.signal,
    onTrouble: (error) => onTrouble(error, 'offering a slot failed'),
  })

  let wake: () => void = () => undefined
  let hasNews = false
  function checkQueue() {
    hasNews = true
    wake()
  }

  const unsubscribe = [
    channels.subscribe('queue', checkQueue),
    channels.subscribe('revoked', ({ id }) => {
      if ([...held.values()].some(({ run }) => run.id === id)) void leases.renewAll()
    }),
    channels.subscribeMissed(() => {
      checkQueue()
      void leases.renewAll()
    }),
  ]

  let token = randomUUID()
  let isUnanswered = false

  /** Claims until no slot is free or nothing is claimable. `hasHint` skips the cheap check. */
  async function claimAll(hasHint: boolean): Promise<void> {
    let skipCheck = hasHint
    while (held.size < slots.maxRunning && !stopping.signal.aborted) {
      // A claim whose response was lost may have gone through. The same token finds its run.
      if (!skipCheck && !isUnanswered && !(await hasClaimable(database))) return
      skipCheck = false
      isUnanswered = true
      const takeOver = performance.now() - troubledAtMs > takeoverPauseMs
      const run = await claim(database, { ...slots, token, takeOver })
      isUnanswered = false
      if (!run) return
      token = randomUUID()
      hold(run)
    }
  }

  async function claimUntilStopped(): Promise<void> {
    while (!stopping.signal.aborted) {
      const hasHint = hasNews
      hasNews = false
      try {
        await claimAll(hasHint)
      } catch (error) {
        onTrouble(error, 'claiming failed')
      }
      offers.offer()
      const waiting = new AbortController()
      wake = () => waiting.abort()
      if (hasNews || stopping.signal.aborted) continue
      await sleep(jitterMs(pollMs), waiting.signal).catch(() => undefined)
    }
  }

  function hold(run: Run) {
    // Claimed again: an earlier holder in this process has lost its lease.
    for (const earlier of held.values()) {
      if (earlier.run.id === run.id) earlier.abandon.abort(leaseLost)
    }
    const abandon = new AbortController()
    const entry: HeldRun = { run, abandon, done: Promise.resolve(), context: undefined }
    held.set(run.token, entry)
    entry.done = inRunSpan(options.tracer, run, (span) => work(entry, span)).finally(() => {
      held.delete(run.token)
      checkQueue()
    })
  }

  async function work(entry: HeldRun, span: RunSpan | undefined): Promise<void> {
    const { run, abandon } = entry
    const runLogger = logger.child({ presentation_id: run.id, run: run.run })
    const timeout = new Problem('RUN_TIMEOUT')
    const deadline = new AbortController()
    const leftMs = Math.max(0, dependencies.limits.runTimeoutMs - run.usedMs)
    const timer = setTimeout(() => deadline.abort(timeout), leftMs)
    const log = createRunLog({
      database,
      channels,
      run,
      leaseMs: slots.leaseMs,
      shared,
      signal: abandon.signal,
      onLost: () => abandon.abort(leaseLost),
    })
    const context = createContext({
      run,
      log,
      dependencies: reportFirstSlide(dependencies, span),
      signal: anySignal(abandon.signal, deadline.signal),
      logger: runLogger,
      onBackoff: () => {
        if (stopping.signal.aborted) abandon.abort(released)
      },
    })
    entry.context = context
    runLogger.info({ stage: run.stage, takeovers: run.takeovers }, 'run claimed')
    try {
      if (span) await span.save(context)
      const outcome = await driveRun(context, () => stopping.signal.aborted)
      span?.setOutcome(outcome)
      runLogger.info({ outcome }, 'run left')
      if (outcome === 'stopped') await release(run)
    } catch (error) {
      if (abandon.signal.aborted) {
        const isReleased = abandon.signal.reason === released
        const reason = isReleased ? 'released' : 'lease lost'
        span?.setOutcome(reason)
        runLogger.info({ reason }, 'run left')
        if (isReleased) await release(run)
      } else if (deadline.signal.aborted) {
        await failRun(context, timeout).catch((failure) =>
          runLogger.error({ err: failure }, 'ending a run failed'),
        )
      } else if (error !== leaseLost) {
        // A bug, or a database that refuses us. The lease expires and the run is taken over.
        span?.setOutcome('broke off')
        runLogger.error({ err: error }, 'run broke off')
      }
    } finally {
      clearTimeout(timer)
    }
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

  const claiming = claimUntilStopped()

  return {
    /**
     * Stops claiming. Runs in a paid stage may finish it for `drainMs`; the others, and then the
     * rest, are released. Resolves when none is held, or the database does not respond.
     */
    async close(drainMs: number): Promise<void> {
      const giveUp = ({ abandon }: HeldRun) => abandon.abort(released)
      stopping.abort()
      wake()
      for (const entry of held.values()) {
        // A run that waits before another attempt has nothing under way upstream.
        if (!isPaid(entry.run.stage) || entry.context?.slot.isWaiting()) giveUp(entry)
      }
      const timer = setTimeout(() => [...held.values()].forEach(giveUp), drainMs)
      // A run that is being claimed right now stops at its first checkpoint.
      const ended = claiming.then(() => Promise.all([...held.values()].map(({ done }) => done)))
      // A statement on a silent connection would otherwise hold the process for its timeout.
      await waitAtMost(drainMs + releaseTimeoutMs, ended)
      clearTimeout(timer)
      leases.close()
      for (const stop of unsubscribe) stop()
    },
  }
}
