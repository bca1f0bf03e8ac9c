// The part of a worker that claims runs: at each hint, and now and then without one.

import { randomUUID } from 'node:crypto'
import { jitterMs } from '../async/backoff.ts'
import { sleep } from '../async/signals.ts'
import type { Database } from '../database/connection.ts'
import { claim, hasClaimable, type Run } from '../database/leases.ts'

export interface ClaimLoopOptions {
  database: Pick<Database, 'query' | 'transaction'>
  slots: { maxRunning: number; maxRunningPerUser: number; leaseMs: number }
  countHeld: () => number
  /** Whether runs of other workers may be taken over whose leases have expired. */
  mayTakeOver: () => boolean
  onClaimed: (run: Run) => void
  /** Called when no slot is free or nothing is claimable, also after trouble. */
  onPause: () => void
  onTrouble: (error: unknown) => void
  /** Ends the loop. */
  signal: AbortSignal
}

const pollMs = 800

/** Starts claiming at once. */
export function startClaimLoop(options: ClaimLoopOptions) {
  const { database, slots, countHeld, signal, onTrouble } = options
  let wake: () => void = () => undefined
  let hasNews = false
  let token = randomUUID()
  let isUnanswered = false

  /** Claims until no slot is free or nothing is claimable. `hasHint` skips the cheap check. */
  async function claimAll(hasHint: boolean): Promise<void> {
    let skipCheck = hasHint
    while (countHeld() < slots.maxRunning && !signal.aborted) {
      // A claim whose response was lost may have gone through. The same token finds its run.
      if (!skipCheck && !isUnanswered && !(await hasClaimable(database))) return
      skipCheck = false
      isUnanswered = true
      const run = await claim(database, { ...slots, token, takeOver: options.mayTakeOver() })
      isUnanswered = false
      if (!run) return
      token = randomUUID()
      options.onClaimed(run)
    }
  }

  async function claimUntilStopped(): Promise<void> {
    while (!signal.aborted) {
      const hasHint = hasNews
      hasNews = false
      try {
        await claimAll(hasHint)
      } catch (error) {
        onTrouble(error)
      }
      options.onPause()
      const waiting = new AbortController()
      wake = () => waiting.abort()
      if (hasNews || signal.aborted) continue
      await sleep(jitterMs(pollMs), waiting.signal).catch(() => undefined)
    }
  }

  return {
    /** There may be something to claim. */
    checkQueue() {
      hasNews = true
      wake()
    },
    /** Ends a pause, so that the loop notices its signal. */
    wake: () => wake(),
    /** Resolves when the loop has ended. */
    ended: claimUntilStopped(),
  }
}
