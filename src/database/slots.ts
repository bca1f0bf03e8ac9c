// Whether a queued run needs the slot of a run that waits. Raw SQL: it repeats the limits of a
// claim, as if that run had left.

import type { Queryable } from './connection.ts'
import { isClaimable } from './queue.ts'

export interface SlotUse {
  /** The run that holds the slot. */
  id: string
  maxRunning: number
  maxRunningPerUser: number
}

/** True if a queued run could be claimed only after this one gave up its slot. */
export async function isSlotWanted(
  database: Queryable,
  { id, maxRunning, maxRunningPerUser }: SlotUse,
): Promise<boolean> {
  const [row] = await database.query<{ isWanted: boolean }>(
    `with running as materialized (
       select user_id, count(*) as n, count(*) filter (where id <> $1) as others
       from gateway.presentations
       where status = 'running' and run_started_at is not null group by user_id
     ), waiting as (
       select coalesce((select n from running r where r.user_id = p.user_id), 0) as own,
         coalesce((select others from running r where r.user_id = p.user_id), 0) as own_others
       from gateway.presentations p where ${isClaimable('p')}
     ), total as (
       select coalesce(sum(n), 0) as n, coalesce(sum(others), 0) as others from running
     )
     select exists (
       select 1 from waiting w, total t where t.others < $2 and w.own_others < $3
         and (t.n >= $2 or w.own >= $3)) as "isWanted"`,
    [id, maxRunning, maxRunningPerUser],
  )
  return row?.isWanted ?? false
}
