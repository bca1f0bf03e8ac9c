// How many presentations there are in each status, for whoever scrapes: of those that move as it is
// now, of those at rest, which may be millions, as it was lately.
import type { Database } from '../../database/connection.ts'

export interface RunCountsOptions {
  database: Pick<Database, 'query'>
  now?: () => number
}

export type RunCounts = Record<string, number>

// Counting ten thousand takes a millisecond or so, and is done again after a second: a thousandth
// of the time, however many they become.
const reuseMsEach = 0.1

export function createRunCounts({ database, now = () => performance.now() }: RunCountsOptions) {
  let atRest: { counts: RunCounts; untilMs: number } | undefined

  return async function countByStatus(): Promise<RunCounts> {
    const moving = await countMoving(database)
    if (!atRest || atRest.untilMs <= now()) {
      const counts = await countAtRest(database)
      const all = Object.values(counts).reduce((sum, n) => sum + n, 0)
      atRest = { counts, untilMs: now() + all * reuseMsEach }
    }
    return { ...atRest.counts, ...moving }
  }
}

async function countMoving(database: Pick<Database, 'query'>): Promise<RunCounts> {
  return toCounts(
    await database.query<{ status: string; n: number }>(
      `select status, count(*) as n from gateway.presentations where status in ('queued', 'running') group by status
       union all select status, count(*) from gateway.presentations where status = 'awaiting_outlines' group by status`,
    ),
  )
}

export async function countAtRest(database: Pick<Database, 'query'>): Promise<RunCounts> {
  return toCounts(
    await database.query<{ status: string; n: number }>(
      `select status, count(*) as n from gateway.presentations where status in ('completed', 'failed', 'cancelled') group by status`,
    ),
  )
}

const toCounts = (rows: { status: string; n: number }[]) =>
  Object.fromEntries(rows.map(({ status, n }) => [status, n]))
