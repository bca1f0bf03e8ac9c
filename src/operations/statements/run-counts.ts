// The number of presentations in each status, for the metrics. Raw SQL: Postgres uses a partial
// index only where the status is a literal.
import type { Queryable } from '../../database/connection.ts'

export interface RunCountsOptions {
  database: Queryable
  now?: () => number
}

export type RunCounts = Record<string, number>

// Counting 10,000 rows takes about 1 ms. Reusing the count for 0.1 ms a row bounds the cost to
// about a thousandth of the time, for any number of rows.
const reuseMsPerRow = 0.1

/** Counts active presentations at each call; finished ones, which may be millions, rarely. */
export function createRunCounts({ database, now = () => performance.now() }: RunCountsOptions) {
  let finished: { counts: RunCounts; validUntilMs: number } | undefined

  return async function countByStatus(): Promise<RunCounts> {
    const active = await countActive(database)
    if (!finished || finished.validUntilMs <= now()) {
      const counts = await countFinished(database)
      const total = Object.values(counts).reduce((sum, n) => sum + n, 0)
      finished = { counts, validUntilMs: now() + total * reuseMsPerRow }
    }
    return { ...finished.counts, ...active }
  }
}

async function countActive(database: Queryable): Promise<RunCounts> {
  return toCounts(
    await database.query<StatusCount>(
      `select status, count(*) as n from gateway.presentations
       where status in ('queued', 'running') group by status
       union all
       select status, count(*) from gateway.presentations
       where status = 'awaiting_outlines' group by status`,
      [],
    ),
  )
}

export async function countFinished(database: Queryable): Promise<RunCounts> {
  return toCounts(
    await database.query<StatusCount>(
      `select status, count(*) as n from gateway.presentations
       where status in ('completed', 'failed', 'cancelled') group by status`,
      [],
    ),
  )
}

interface StatusCount {
  status: string
  n: number
}

function toCounts(rows: StatusCount[]): RunCounts {
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]))
}
