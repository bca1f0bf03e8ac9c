// Claims runs and keeps their leases. A lease is a token that expires by the database's clock; a
// write with any other token changes nothing. Raw SQL: a claim locks, counts and updates at once.
// Every statement locks a lease row before its presentation.

import { randomUUID } from 'node:crypto'
import { and, eq } from 'drizzle-orm'
import { advisoryLocks } from './advisory-locks.ts'
import type { Database, Queryable } from './connection.ts'
import { isClaimable, queuedMs, queueOrder } from './queue.ts'
import { leases } from './schema/log.ts'
import { presentations } from './schema/presentations.ts'
import { build, columnList, type Given, statement } from './statement.ts'

/** What a worker needs to continue from the last checkpoint. */
const runColumns = [
  'id',
  'userId',
  'title',
  'template',
  'language',
  'nSlides',
  'slidesDone',
  'reviewOutlines',
  'brief',
  'outlines',
  'outlinesApproved',
  'run',
  'runKind',
  'runFormat',
  'makesFile',
  'editFinished',
  'revision',
  'stage',
  'progress',
  'starts',
  'failures',
  'limitWaitsMs',
  'slideStreams',
  'takeovers',
  'uploads',
  'deckId',
  'account',
  'freshDeckId',
  'deckPrepared',
  'deckStreamed',
  'slidesFinished',
  'exportPath',
  'stageClock',
  'requestTrace',
  'runTrace',
] as const

/** A claimed run. */
export type Run = Pick<typeof presentations.$inferSelect, (typeof runColumns)[number]> & {
  /** Of its lease. */
  token: string
  /** The last event number when it was claimed. */
  lastSeq: number
  /** How long the run has worked already, in ms. */
  usedMs: number
}

// Not part of the claim: what a statement counts must be read after it holds the lock.
const lockQueue = `set local synchronous_commit = off; select pg_advisory_xact_lock(${advisoryLocks.queue})`

/** The run has started and no living worker holds its lease. `takeOver` is an SQL condition. */
const isAbandoned = (p: string, l: string, takeOver: string) =>
  `${p}.status = 'running' and ${p}.run_started_at is not null and (${l}.token is null or ${takeOver})`

/** Whether a claim may find a run: cheap, while a claim takes a lock that all replicas share. */
export async function hasClaimable(database: Queryable): Promise<boolean> {
  const rows = await database.query(
    `select 1 where exists (select 1 from gateway.presentations p where ${isClaimable('p')})
       or exists (
         select 1 from gateway.presentations p
         join gateway.leases l on l.presentation_id = p.id
         where ${isAbandoned('p', 'l', 'l.expires_at < clock_timestamp()')})`,
    [],
  )
  return rows.length > 0
}

export interface Slots {
  maxRunning: number
  maxRunningPerUser: number
  leaseMs: number
}

export interface Claim extends Slots {
  /**
   * The token of the new lease. A claim whose response was lost may be repeated with the same
   * token: it then finds the run it has claimed, which counts as no takeover.
   */
  token: string
  /** Whether to take runs whose lease has expired. After an outage holders need time to renew. */
  takeOver: boolean
}

/**
 * Claims one run, or none. Abandoned runs come first: each still occupies its slot, so no limit
 * applies. Then the queue in its order, within the limits. One lock serialises the claims of all
 * replicas, which makes the limits exact.
 *
 * The commit does not wait for the disk. If the database crashes and forgets a claim, it also
 * forgets every later write of the run, and no other claim gets the same token.
 */
export function claim(
  database: Pick<Database, 'transaction'>,
  { token = randomUUID(), takeOver = true, ...slots }: Slots & Partial<Claim>,
): Promise<Run | undefined> {
  return database.transaction(async (client) => {
    const [run] = await client.query<Run>(claimOne, [
      token,
      slots.leaseMs,
      takeOver,
      slots.maxRunning,
      slots.maxRunningPerUser,
    ])
    return run
  }, lockQueue)
}

// $1 token, $2 leaseMs, $3 takeOver, $4 maxRunning, $5 maxRunningPerUser
const claimOne = `
  with abandoned as (
    select p.id, l.token is not null and l.token <> $1::uuid as taken_over
    from gateway.presentations p
    join gateway.leases l on l.presentation_id = p.id
    where ${isAbandoned('p', 'l', 'l.token = $1::uuid or ($3 and l.expires_at < clock_timestamp())')}
    order by l.expires_at nulls first limit 1 for update of l skip locked
  ), running as materialized (
    select user_id, count(*) as n from gateway.presentations
    where status = 'running' and run_started_at is not null group by user_id
  ), waiting as (
    select p.id from gateway.presentations p
    join gateway.leases l on l.presentation_id = p.id
    where not exists (select 1 from abandoned) and ${isClaimable('p')}
      and (select coalesce(sum(n), 0) from running) < $4
      and coalesce((select n from running r where r.user_id = p.user_id), 0) < $5
    order by ${queueOrder('p')} limit 1 for update of l skip locked
  ), candidate as (
    select id, taken_over, false as was_waiting from abandoned
    union all select id, false, true from waiting
  ), claimed as (
    update gateway.presentations p set
      status = 'running', takeovers = p.takeovers + c.taken_over::int, updated_at = now(),
      started_at = coalesce(p.started_at, now()),
      run_started_at = coalesce(p.run_started_at, now()),
      run_used_ms = p.run_used_ms + case when c.was_waiting then ${queuedMs('p')} else 0 end,
      resume_after = null
    from candidate c
    where p.id = c.id and p.status in ('running', case when c.was_waiting then 'queued' end)
      and (p.run_started_at is null) = c.was_waiting
    returning p.turn, ${columnList(presentations, 'p', runColumns)},
      p.run_used_ms + (extract(epoch from clock_timestamp() - p.run_started_at) * 1000)::bigint
        as "usedMs"
  ), clock as (
    update gateway.queue_clock q set turn = c.turn from claimed c where q.id = 1 and q.turn < c.turn
  )
  update gateway.leases l set
    token = $1::uuid, expires_at = clock_timestamp() + $2 * interval '1 ms'
  from claimed c where l.presentation_id = c.id
  returning c.*, l.last_seq as "lastSeq", $1::uuid as token`

/**
 * Renews the leases held (id -> token) of which a fifth has passed, and returns the ids still held.
 * An expired lease is renewed as well if no other worker has taken it over.
 *
 * A row that is being written is left for the next call. A renewal that waited for one row would
 * block the writes of all other rows it has locked, until that commit ends.
 */
export async function renew(
  database: Queryable,
  held: Map<string, string>,
  leaseMs: number,
): Promise<Set<string>> {
  const rows = await database.query<{ id: string }>(
    `with held as (
       select l.presentation_id as id from gateway.leases l
       join unnest($1::uuid[], $2::uuid[]) as given(id, token)
         on l.presentation_id = given.id and l.token = given.token
     ), due as materialized (
       select l.presentation_id as id from gateway.leases l
       join unnest($1::uuid[], $2::uuid[]) as given(id, token)
         on l.presentation_id = given.id and l.token = given.token
       where l.expires_at < clock_timestamp() + 0.8 * $3 * interval '1 ms'
       for update of l skip locked
     ), renewed as (
       update gateway.leases l set expires_at = clock_timestamp() + $3 * interval '1 ms'
       from due where l.presentation_id = due.id
     )
     select id from held`,
    [[...held.keys()], [...held.values()], leaseMs],
  )
  return new Set(rows.map(({ id }) => id))
}

const clearLease = statement((given: Given<{ id: string; token: string }>) =>
  build
    .update(leases)
    .set({ token: null, expiresAt: null })
    .where(and(eq(leases.presentationId, given.id), eq(leases.token, given.token))),
)

/** Releases a run: it keeps its slot and can be claimed at once, which counts as no takeover. */
export async function releaseLease(
  database: Queryable,
  lease: { id: string; token: string },
): Promise<void> {
  await clearLease(database, { id: lease.id, token: lease.token })
}
