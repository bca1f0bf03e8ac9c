// Claims of deliveries that are due. Each row leads to one attempt at a time: a claim gives it a
// lease, which expires when its replica dies. One lock serialises the claims of all replicas, so
// the limit for a host is exact.
//
// The slow lane holds what goes to receivers that have just failed or were slow. Rows of hosts that
// take no more are skipped host by host, however many there are.

import { advisoryLocks } from '../../database/advisory-locks.ts'
import type { Database, Queryable } from '../../database/connection.ts'

/** A delivery with what an attempt needs of its webhook. */
export interface ClaimedDelivery {
  id: string
  token: string
  webhookId: string
  userId: string
  body: string
  /** Failed attempts since the delivery was made or requested again. */
  failures: number
  isSlow: boolean
  url: string
  enabled: boolean
  /** Sealed, the current one first, without expired ones. */
  secrets: string[]
  /** How long the latest success of the receiver took; null before the first. */
  responseMs: number | null
}

export interface ClaimLimits {
  leaseMs: number
  /** How many to claim in each lane. */
  fast: number
  slow: number
}

/** Attempts at once to one host (with its port), and how many of them may be slow. */
const maxPerHost = 4
const maxSlowPerHost = 3

const isWaiting = (d: string) => `${d}.status = 'pending' and ${d}.lease_token is null`

/** The deliveries of one lane that may be claimed: $1 isSlow. */
const dueInLane = `
  recursive hosts(host) as (
    (select d.host from gateway.webhook_deliveries d
     where ${isWaiting('d')} and d.is_slow = $1 order by d.host limit 1)
    union all
    select (select d.host from gateway.webhook_deliveries d
      where ${isWaiting('d')} and d.is_slow = $1 and d.host > h.host order by d.host limit 1)
    from hosts h where h.host is not null
  ), busy as (
    select host, count(*) as n, count(*) filter (where is_slow) as slow
    from gateway.webhook_deliveries where lease_token is not null group by host
  ), due as (
    select found.id, found.next_attempt_at
    from hosts h left join busy b on b.host = h.host
    cross join lateral (
      select d.id, d.next_attempt_at from gateway.webhook_deliveries d
      where ${isWaiting('d')} and d.is_slow = $1 and d.host = h.host and d.next_attempt_at <= now()
      order by d.next_attempt_at
      limit greatest(0, least(${maxPerHost} - coalesce(b.n, 0),
        case when $1 then ${maxSlowPerHost} - coalesce(b.slow, 0) else ${maxPerHost} end))
    ) found
    where h.host is not null
  )`

// From both ends: the last to come does not wait behind a crowd of dead receivers, and the
// first does not starve. $2 limit, $3 leaseMs
const claimLane = `
  with ${dueInLane}, ranked as (
    select id, least(row_number() over (order by next_attempt_at, id),
      row_number() over (order by next_attempt_at desc, id desc)) as rank from due
  ), picked as (
    select d.id from gateway.webhook_deliveries d
    where d.id = any(array(select id from ranked order by rank limit $2)) and ${isWaiting('d')}
    for update skip locked
  ), claimed as (
    update gateway.webhook_deliveries d set lease_token = gen_random_uuid(),
      lease_expires_at = clock_timestamp() + $3 * interval '1 ms'
    from picked where d.id = picked.id returning d.*
  )
  select c.id, c.lease_token as token, c.webhook_id as "webhookId", c.body, c.failures,
    c.is_slow as "isSlow", w.user_id as "userId", w.url, w.enabled, w.response_ms as "responseMs",
    array(select s->>'sealed' from jsonb_array_elements(w.secrets) with ordinality as stored(s, n)
      where coalesce((s->>'expiresAt')::timestamptz > now(), true) order by n) as secrets
  from claimed c join gateway.webhooks w on w.id = c.webhook_id`

/** Claims what is due, up to the limits, first what no living replica holds any more. */
export function claimDeliveries(
  database: Pick<Database, 'transaction'>,
  { leaseMs, fast, slow }: ClaimLimits,
): Promise<ClaimedDelivery[]> {
  return database.transaction(async (client) => {
    await client.query(
      `update gateway.webhook_deliveries set lease_token = null, lease_expires_at = null,
         again = false
       where id = any(array(select id from gateway.webhook_deliveries
         where lease_token is not null and lease_expires_at < clock_timestamp()
         for update skip locked))`,
    )
    const claimed: ClaimedDelivery[] = []
    for (const [isSlow, limit] of [[false, fast] as const, [true, slow] as const]) {
      if (limit <= 0) continue
      claimed.push(...(await client.query<ClaimedDelivery>(claimLane, [isSlow, limit, leaseMs])))
    }
    return claimed
  }, `select pg_advisory_xact_lock(${advisoryLocks.deliveries})`)
}

/**
 * Whether a claim may find something: cheap, while a claim takes a lock that all replicas share.
 */
export async function hasDue(database: Queryable): Promise<boolean> {
  const rows = await database.query(
    `select 1 where exists (select 1 from gateway.webhook_deliveries d
         where ${isWaiting('d')} and d.next_attempt_at <= now())
       or exists (select 1 from gateway.webhook_deliveries
         where lease_token is not null and lease_expires_at < clock_timestamp())`,
  )
  return rows.length > 0
}

/** How many deliveries wait in the fast lane only for a free slot; at most `limit`. */
export async function countWaiting(database: Queryable, limit: number): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `with ${dueInLane} select count(*) as count from (select 1 from due limit $2) waiting`,
    [false, limit],
  )
  return row?.count ?? 0
}

/** Renews leases (id -> token); returns the ids that are still held. */
export async function renewLeases(
  database: Queryable,
  held: ReadonlyMap<string, string>,
  leaseMs: number,
): Promise<Set<string>> {
  const rows = await database.query<{ id: string }>(
    `update gateway.webhook_deliveries d
     set lease_expires_at = clock_timestamp() + $3 * interval '1 ms'
     from unnest($1::uuid[], $2::uuid[]) as given(id, token)
     where d.id = given.id and d.lease_token = given.token returning d.id`,
    [[...held.keys()], [...held.values()], leaseMs],
  )
  return new Set(rows.map(({ id }) => id))
}
