// Ends runs whose time is over while no worker held them: outlines that were not approved in time,
// and runs that were not claimed, for the first time or after they gave up their slot. Raw SQL: it
// locks due rows and skips locked ones.

import type { ProblemCode } from '../../contract/problem.ts'
import type { Database, Queryable } from '../../database/connection.ts'
import type { EndingRun, EndRun } from '../../database/end-run.ts'
import { isWaiting, queuedMs } from '../../database/queue.ts'
import { applyRunWrite, type EncodedRunWrite, reportCommitted } from '../../database/run-write.ts'
import { Problem } from '../../domain/problem.ts'

interface Reason {
  code: ProblemCode
  condition: string
}

const reasonsFor = (runTimeoutMs: number): Reason[] => [
  {
    code: 'REVIEW_EXPIRED',
    condition: `p.status = 'awaiting_outlines' and p.review_expires_at < now()`,
  },
  {
    code: 'RUN_TIMEOUT',
    condition: `${isWaiting('p')} and (p.queued_at < now() - interval '24 hours'
      or p.resume_after is not null and p.run_used_ms + ${queuedMs('p')} > ${Math.round(runTimeoutMs)})`,
  },
]

const maxTogether = 100

/** Ends them, each with its one terminal event. Returns the logs that grew: id -> last number. */
export async function endOverdueRuns(
  database: Pick<Database, 'transaction'>,
  { endRun, runTimeoutMs }: { endRun: EndRun; runTimeoutMs: number },
): Promise<Map<string, number>> {
  const ended = new Map<string, number>()
  for (const { code, condition } of reasonsFor(runTimeoutMs)) {
    const writes: EncodedRunWrite[] = []
    await database.transaction(async (client) => {
      for (const run of await lockOverdueRuns(client, condition)) {
        const fence = { ...run, seq: run.lastSeq, token: undefined, leaseMs: undefined }
        const write = endRun(run, { outcome: 'failed', problem: new Problem(code) })
        if (!(await applyRunWrite(client, fence, write))) continue
        ended.set(run.id, run.lastSeq + 1)
        writes.push(write)
      }
    })
    for (const write of writes) reportCommitted(write)
  }
  return ended
}

/** Locks the lease rows first, then reads: a row read before its lock may be outdated. */
async function lockOverdueRuns(
  client: Queryable,
  condition: string,
): Promise<(EndingRun & { lastSeq: number })[]> {
  const due = await client.query<{ id: string }>(
    `select p.id from gateway.presentations p
     join gateway.leases l on l.presentation_id = p.id
     where ${condition} limit ${maxTogether} for update of l skip locked`,
  )
  if (due.length === 0) return []
  return client.query(
    // By user: transactions that notify several users do so in one order.
    `select p.id, p.user_id as "userId", p.run, p.run_kind as "runKind", p.slides_done as "slidesDone",
       l.last_seq as "lastSeq"
     from gateway.presentations p join gateway.leases l on l.presentation_id = p.id
     where p.id = any($1) and ${condition} order by p.user_id`,
    [due.map(({ id }) => id)],
  )
}
