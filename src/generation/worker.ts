// The worker of a process: claims runs while it has free slots, drives them, and at shutdown
// finishes paid stages and releases everything else.

import { waitAtMost } from '../async/signals.ts'
import type { Stage } from '../contract/stages.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import type { Run } from '../database/leases.ts'
import { leaseLost } from '../database/run-log.ts'
import { paidStages } from '../domain/stage.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import { startClaimLoop } from './claim-loop.ts'
import type { RunDependencies } from './context.ts'
import { createDriveHeldRun, type HeldRun, released, releaseTimeoutMs } from './held-run.ts'
import { openLeaseKeeper } from './lease-keeper.ts'
import { createSlotOffers } from './slot-offers.ts'
import { inRunSpan } from './spans.ts'

export interface WorkerOptions {
  dependencies: RunDependencies
  /** A connection of its own for the leases; `dependencies.database` without it. */
  renewals?: Pick<Database, 'query'>
  channels: Pick<Channels, 'publish' | 'subscribe' | 'subscribeMissed'>
  slots: { maxRunning: number; maxRunningPerUser: number; leaseMs: number }
  tracer?: Tracer | undefined
}

// Leaving a paid stage before its end loses what it has cost.
const isPaid = (stage: Stage | null) => stage !== null && paidStages.has(stage)

// After an outage many leases have expired whose holders are alive; they renew first.
const takeoverPauseMs = 2_000

export type Worker = ReturnType<typeof openWorker>

/** Starts claiming at once. */
export function openWorker(options: WorkerOptions) {
  const { dependencies, channels, slots, tracer, renewals = dependencies.database } = options
  const { database, presenton, logger } = dependencies
  /** Keyed by token: this process may claim a run again while its earlier holder still stops. */
  const held = new Map<string, HeldRun>()
  const stopping = new AbortController()
  const { signal } = stopping
  let troubledAtMs = Number.NEGATIVE_INFINITY

  const warn = (message: string) => (error: unknown) => {
    troubledAtMs = performance.now()
    logger.warn({ err: error }, message)
  }

  const leases = openLeaseKeeper({
    database: renewals,
    held: () => held.values(),
    leaseMs: slots.leaseMs,
    onTrouble: warn('renewing leases failed'),
  })
  const offers = createSlotOffers({
    database,
    presenton,
    held: () => held.values(),
    slots,
    signal,
    onTrouble: warn('offering a slot failed'),
  })
  const driveHeldRun = createDriveHeldRun({
    dependencies,
    renewals,
    channels,
    leaseMs: slots.leaseMs,
    stopping: signal,
  })
  const claims = startClaimLoop({
    database,
    slots,
    countHeld: () => held.size,
    mayTakeOver: () => performance.now() - troubledAtMs > takeoverPauseMs,
    onClaimed: hold,
    onPause: offers.offer,
    onTrouble: warn('claiming failed'),
    signal,
  })
  const unsubscribe = [
    channels.subscribe('queue', claims.checkQueue),
    channels.subscribe('revoked', ({ id }) => {
      if ([...held.values()].some(({ run }) => run.id === id)) void leases.renewAll()
    }),
    channels.subscribeMissed(() => {
      claims.checkQueue()
      void leases.renewAll()
    }),
  ]

  function hold(run: Run) {
    // Claimed again: an earlier holder in this process has lost its lease.
    for (const earlier of held.values()) {
      if (earlier.run.id === run.id) earlier.abandon.abort(leaseLost)
    }
    const abandon = new AbortController()
    const entry: HeldRun = { run, abandon, done: Promise.resolve(), context: undefined }
    held.set(run.token, entry)
    entry.done = inRunSpan(tracer, run, (span) => driveHeldRun(entry, span)).finally(() => {
      held.delete(run.token)
      claims.checkQueue()
    })
  }

  return {
    /**
     * Stops claiming. Runs in a paid stage may finish it for `drainMs`; the others, and then the
     * rest, are released. Resolves when none is held, or the database does not respond.
     */
    async close(drainMs: number): Promise<void> {
      const giveUp = ({ abandon }: HeldRun) => abandon.abort(released)
      stopping.abort()
      claims.wake()
      for (const entry of held.values()) {
        // A run that waits before another attempt has nothing under way upstream.
        if (!isPaid(entry.run.stage) || entry.context?.slot.isWaiting()) giveUp(entry)
      }
      const timer = setTimeout(() => [...held.values()].forEach(giveUp), drainMs)
      // A run that is being claimed right now stops at its first checkpoint.
      const ended = claims.ended.then(() => Promise.all([...held.values()].map(({ done }) => done)))
      // A statement on a silent connection would otherwise hold the process for its timeout.
      await waitAtMost(drainMs + releaseTimeoutMs, ended)
      clearTimeout(timer)
      leases.close()
      for (const stop of unsubscribe) stop()
    },
  }
}
