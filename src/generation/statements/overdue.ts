// Runs whose time ran out while nobody worked on them: outlines that were not approved, and runs
// that were never claimed.
import { encodeEvent } from '../../contract/events.ts'
import type { ProblemCode } from '../../contract/problem.ts'
import type { Database } from '../../database/connection.ts'
import { failedSettlement } from '../../database/ledger.ts'
import { isWaiting } from '../../database/queue.ts'
import { Problem, toRunError } from '../../domain/problem.ts'

const reasons: { code: ProblemCode; where: string }[] = [
  {
    code: 'REVIEW_EXPIRED',
    where: `p.status = 'awaiting_outlines' and p.review_expires_at < now()`,
  },
  {
    code: 'RUN_TIMEOUT',
    where: `${isWaiting('p')} and p.queued_at < now() - interval '24 hours'`,
  },
]

/**
 * Ends them, each with its one terminal event, and returns the logs that grew: id -> last number.
 */
export async function endOverdueRuns(
  database: Pick<Database, 'query'>,
): Promise<Map<string, number>> {
  const ended = new Map<string, number>()
  for (const { code, where } of reasons) {
    const error = toRunError(new Problem(code))
    const rows = await database.query<{ id: string; lastSeq: number }>(
      `with due as (
         select p.id, p.run from gateway.presentations p join gateway.leases l on l.presentation_id = p.id
         where ${where} limit 100 for update of l skip locked
       ), ended as (
         update gateway.presentations p set error = $1, ended_at = now(), updated_at = now(),
           -- A further export leaves the deck as it was.
           status = case p.run_kind when 'export' then 'completed' else 'failed' end,
           stage = case p.run_kind when 'export' then null else p.stage end,
           progress = case p.run_kind when 'export' then 1 else p.progress end
         from due where p.id = due.id and ${where} returning p.id, p.run, p.run_kind, p.slides_done
       ), counted as (
         update gateway.leases l set last_seq = l.last_seq + 1, token = null, expires_at = null
         from ended where l.presentation_id = ended.id returning l.presentation_id, l.last_seq, ended.run
       ), given_back as (
         update gateway.ledger g set ${failedSettlement('ended.slides_done')} from ended where g.presentation_id = ended.id and ended.run_kind = 'deck'
       ), logged as (
         insert into gateway.events (presentation_id, seq, run, terminal, data)
         select presentation_id, last_seq, run, true, replace($2, '"run":0', '"run":' || run) from counted
       )
       select presentation_id as id, last_seq as "lastSeq" from counted`,
      [JSON.stringify(error), encodeEvent('error', error, { run: 0 }).data],
    )
    for (const { id, lastSeq } of rows) ended.set(id, lastSeq)
  }
  return ended
}
