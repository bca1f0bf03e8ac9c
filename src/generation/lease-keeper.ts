// Renews the leases of a worker's runs, and tells each run when its lease is lost.

import type { Database } from '../database/connection.ts'
import { type Run, renew } from '../database/leases.ts'
import { leaseLost } from '../database/run-log.ts'

export interface LeasedRun {
  run: Run
  /** Aborts the run: with `leaseLost`, or because the worker releases it. */
  abandon: AbortController
}

export interface LeaseKeeperOptions {
  /** A connection of its own, so that renewals never wait behind other statements. */
  database: Pick<Database, 'query'>
  held: () => Iterable<LeasedRun>
  leaseMs: number
  onTrouble: (error: unknown) => void
}

// A cancel whose notification was lost is noticed this late; upstream must be closed within 1 s.
const renewalMs = 800

export function openLeaseKeeper({ database, held, leaseMs, onTrouble }: LeaseKeeperOptions) {
  let isRenewing = false
  let isRequested = false

  /** Renews all leases. A request during a renewal leads to one more after it. */
  async function renewAll(): Promise<void> {
    isRequested = isRenewing
    const runs = [...held()].filter(({ abandon }) => !abandon.signal.aborted)
    if (isRenewing || runs.length === 0) return
    isRenewing = true
    try {
      const tokens = new Map(runs.map(({ run }) => [run.id, run.token]))
      const kept = await renew(database, tokens, leaseMs)
      for (const { run, abandon } of runs) if (!kept.has(run.id)) abandon.abort(leaseLost)
    } catch (error) {
      // A run whose token is still valid continues; the database says so once it is back.
      onTrouble(error)
    } finally {
      isRenewing = false
    }
    if (isRequested) await renewAll()
  }

  const renewIfIdle = () => void (isRenewing || renewAll())
  const timer = setInterval(renewIfIdle, Math.min(renewalMs, leaseMs / 3))

  return { renewAll, close: () => clearInterval(timer) }
}
