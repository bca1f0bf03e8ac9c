// The number of presentations in each status, for the metrics. Active ones are counted at each
// call, finished ones, which may be millions, only from time to time.
import type { Database } from '../../database/connection.ts'

export interface RunCountsOptions {
  database: Pick<Database, 'query'>
  now?: () => number
}

export type RunCounts = Record<string, number>

// Counting 10,000 rows takes about 1 ms. Reusing the count for 0.1 ms a row bounds the cost to
// about a thousandth of the time, for any number of rows.
const reuseMsPerRow = 0.1

export function createRunCounts({ database, now = () => performance.now() }: RunCountsOptions) {
  let finished: { counts: RunCounts; untilMs: number } | undefined

  return async function countByStatus(): Promise<RunCounts> {
    const active = await countActive(database)
    if (!finished || finished.untilMs <= now()) {
      const counts = await countFinished(database)
      const total = Object.values(counts).reduce((sum, n) => sum + n, 0)
      finished = { counts, untilMs: now() + total * reuseMsPerRow }
    }
    return { ...finished.counts, ...active }
  }
}

async function countActive(database: Pick<Database, 'query'>): Promise<RunCounts> {
  return toCounts(
    await database.query<{ status: string; n: number }>(
      `select status, count(*) as n from gateway.presentations
       where status in ('queued', 'running') group by status
       union all select status, count(*) from gateway.presentations
       where status = 'awaiting_outlines' group by status`,
    ),
  )
}

export async function countFinished(database: Pick<Database, 'query'>): Promise<RunCounts> {
  return toCounts(
    await database.query<{ status: string; n: number }>(
      `select status, count(*) as n from gateway.presentations
       where status in ('completed', 'failed', 'cancelled') group by status`,
    ),
  )
}

const toCounts = (rows: { status: string; n: number }[]) =>
  Object.fromEntries(rows.map(({ status, n }) => [status, n]))
