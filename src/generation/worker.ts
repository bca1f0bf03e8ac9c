// The worker of a process: claims runs while it has slots, keeps their leases, drives them, and at
// shutdown finishes what is paid for and hands back the rest.

import { randomUUID } from 'node:crypto'
import { jitterMs } from '../async/backoff.ts'
import { anySignal, sleep } from '../async/signals.ts'
import type { Stage } from '../contract/stages.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { claim, hasClaimable, type Run, releaseLease, renew } from '../database/leases.ts'
import { retryDuringOutage } from '../database/outages.ts'
import { createRunLog, leaseLost } from '../database/run-log.ts'
import { createSharedWrites } from '../database/shared-writes.ts'
import { Problem } from '../domain/problem.ts'
import { paidStages } from '../domain/stage.ts'
import { createContext, type RunDependencies } from './context.ts'
import { driveRun, end } from './run.ts'

export interface WorkerOptions {
  dependencies: RunDependencies
  /**
   * Where leases are renewed: a connection of their own, so that they don't wait behind everything
   * else. `dependencies.database` without.
   */
  renewals?: Pick<Database, 'query'>
  channels: Channels
  slots: { maxRunning: number; maxRunningPerUser: number; leaseMs: number }
}

interface Held {
  run: Run
  abandon: AbortController
  done: Promise<void>
  stage: () => Stage | null
  /** It waits before another try: nothing is under way upstream. */
  isResting: () => boolean
}

// What a paid stage has cost is lost when it is left before its end.
const isPaid = (stage: Stage | null) => stage !== null && paidStages.has(stage)

/** This replica gives the run up; another goes on. */
const handedBack = Symbol('given up')

const pollMs = 1_000
// How a cancel is noticed whose notification was lost: its upstream connection is closed within a
// second.
const renewMs = 800
// After an outage all leases may have run out, and their holders are as alive as we are: they get
// the first word.
const takeoverPauseMs = 2_000
// A database that is away while we leave gets this long to come back; then the leases run out by
// themselves.
const handBackMs = 5_000

export type Worker = ReturnType<typeof openWorker>

/** Starts claiming at once. */
export function openWorker({
  dependencies,
  renewals = dependencies.database,
  channels,
  slots,
}: WorkerOptions) {
  const { database, logger } = dependencies
  const shared = createSharedWrites({ database })
  /** By token: a run may be claimed again before its earlier holder, here, has left it. */
  const held = new Map<string, Held>()
  const stopping = new AbortController()
  let wakeUp: () => void = () => undefined
  let news = false

  const onQueue = () => {
    news = true
    wakeUp()
  }
  const onRevoked = (id: string) => {
    if ([...held.values()].some(({ run }) => run.id === id)) void renewAll()
  }
  const onAll = () => {
    onQueue()
    void renewAll()
  }
  channels.on('queue', onQueue)
  channels.on('revoked', onRevoked)
  channels.on('all', onAll)

  let token = randomUUID()
  let isUnanswered = false
  let troubledAtMs = Number.NEGATIVE_INFINITY
  /** `mayHave`: there is news, so the first look would only cost time. */
  async function claimAll(mayHave: boolean): Promise<void> {
    while (held.size < slots.maxRunning && !stopping.signal.aborted) {
      // A claim whose answer was lost may have gone through: its run waits for nobody but us, and
      // looks like anybody's.
      if (!mayHave && !isUnanswered && !(await hasClaimable(database))) return
      mayHave = false
      isUnanswered = true
      const takeOver = performance.now() - troubledAtMs > takeoverPauseMs
      const run = await claim(database, { ...slots, token, takeOver })
      isUnanswered = false
      if (!run) return
      token = randomUUID()
      hold(run)
    }
  }

  function onTrouble(error: unknown, what: string) {
    troubledAtMs = performance.now()
    logger.warn({ err: error }, what)
  }

  const claiming = (async () => {
    while (!stopping.signal.aborted) {
      const hadNews = news
      news = false
      try {
        await claimAll(hadNews)
      } catch (error) {
        onTrouble(error, 'claiming failed')
      }
      const waiting = new AbortController()
      wakeUp = () => waiting.abort()
      if (news || stopping.signal.aborted) continue
      await sleep(jitterMs(pollMs * 0.8), waiting.signal).catch(() => undefined)
    }
  })()

  let renewing = false
  let renewAgain = false
  async function renewAll(): Promise<void> {
    renewAgain = renewing
    if (renewing || held.size === 0) return
    renewing = true
    try {
      const asked = [...held.values()].filter(({ abandon }) => !abandon.signal.aborted)
      const kept = await renew(
        renewals,
        new Map(asked.map(({ run }) => [run.id, run.token])),
        slots.leaseMs,
      )
      for (const { run, abandon } of asked) if (!kept.has(run.id)) abandon.abort(leaseLost)
    } catch (error) {
      // A holder whose token still stands goes on; whether it does is known when the database is
      // back.
      onTrouble(error, 'renewing leases failed')
    } finally {
      renewing = false
    }
    // What was revoked meanwhile may have come too late for this one.
    if (renewAgain) await renewAll()
  }
  const renewTimer = setInterval(
    () => void (renewing || renewAll()),
    Math.min(renewMs, slots.leaseMs / 3),
  )

  function hold(run: Run) {
    // Claimed again, so whoever holds it still has lost it.
    for (const earlier of held.values())
      if (earlier.run.id === run.id) earlier.abandon.abort(leaseLost)
    const abandon = new AbortController()
    const entry: Held = {
      run,
      abandon,
      done: Promise.resolve(),
      stage: () => run.stage,
      isResting: () => false,
    }
    held.set(run.token, entry)
    entry.done = work(entry).finally(() => {
      held.delete(run.token)
      onQueue()
    })
  }

  async function work(entry: Held): Promise<void> {
    const { run, abandon } = entry
    const runLogger = logger.child({ presentation_id: run.id, run: run.run })
    const log = createRunLog({
      database,
      channels,
      run,
      leaseMs: slots.leaseMs,
      shared,
      signal: abandon.signal,
      onLost: () => abandon.abort(leaseLost),
    })
    const timeUp = new Problem('RUN_TIMEOUT')
    const clock = new AbortController()
    const timer = setTimeout(
      () => clock.abort(timeUp),
      Math.max(0, dependencies.limits.runTimeoutMs - run.usedMs),
    )
    const signal = anySignal(abandon.signal, clock.signal)
    const onBackoff = () => {
      if (stopping.signal.aborted) abandon.abort(handedBack)
    }
    const context = createContext({ run, log, dependencies, signal, logger: runLogger, onBackoff })
    entry.isResting = context.isResting
    runLogger.info({ stage: run.stage, takeovers: run.takeovers }, 'run claimed')
    try {
      const outcome = await driveRun(context, () => stopping.signal.aborted)
      runLogger.info({ outcome }, 'run left')
      if (outcome === 'stopped') await release(run)
    } catch (error) {
      if (abandon.signal.aborted) {
        runLogger.info(
          { reason: abandon.signal.reason === handedBack ? 'given up' : 'lease lost' },
          'run left',
        )
        if (abandon.signal.reason === handedBack) await release(run)
      } else if (clock.signal.aborted) {
        await end(context, timeUp).catch((failure) =>
          runLogger.error({ err: failure }, 'ending a run failed'),
        )
      } else if (error !== leaseLost) {
        // A bug of ours, or a database that refuses us: the lease runs out and the run is taken
        // over, within its bounds.
        runLogger.error({ err: error }, 'run broke off')
      }
    } finally {
      clearTimeout(timer)
    }
  }

  async function release(run: Run): Promise<void> {
    const patience = AbortSignal.timeout(handBackMs)
    try {
      await retryDuringOutage(patience, () => releaseLease(renewals, run))
      channels.queue()
    } catch (error) {
      logger.warn({ err: error, presentation_id: run.id, run: run.run }, 'handing back failed')
    }
  }

  return {
    running: () => held.size,
    /**
     * Stops claiming. Runs in a paid stage may finish it for `drainMs`; all others, and then the
     * rest, are handed back. Resolves when none is held any more, or the database does not answer.
     */
    async close(drainMs: number): Promise<void> {
      const giveUp = ({ abandon }: Held) => abandon.abort(handedBack)
      stopping.abort()
      wakeUp()
      for (const run of held.values()) if (!isPaid(run.stage()) || run.isResting()) giveUp(run)
      const timer = setTimeout(() => [...held.values()].forEach(giveUp), drainMs)
      // One that is being claimed just now stops at its first checkpoint.
      const ended = claiming.then(() => Promise.all([...held.values()].map(({ done }) => done)))
      // A statement into a silent connection would hold the process for as long as silence is
      // borne.
      const left = new AbortController()
      await Promise.race([ended, sleep(drainMs + handBackMs, left.signal).catch(() => undefined)])
      left.abort()
      clearTimeout(timer)
      clearInterval(renewTimer)
      channels.off('queue', onQueue)
      channels.off('revoked', onRevoked)
      channels.off('all', onAll)
    },
  }
}
