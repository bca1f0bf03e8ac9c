// The rows of deliveries, as their owner sees them: list, test, request again, prune.

import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import type { DeliveryStatus, MessageType } from '../../contract/webhook.ts'
import type { Queryable } from '../../database/connection.ts'
import { webhookDeliveries } from '../../database/schema/webhooks.ts'
import { build, columns, type Given, statement } from '../../database/statement.ts'

const d = webhookDeliveries

const rowColumns = columns(
  d,
  ...(['id', 'event', 'status', 'attempts', 'lastStatus', 'lastError'] as const),
  ...(['nextAttemptAt', 'createdAt'] as const),
)

export interface ListQuery {
  webhookId: string
  status?: DeliveryStatus | undefined
  limit: number
  /** The last row of the previous page. */
  after?: { createdAt: Date; id: string } | undefined
}

type ListValues = Omit<ListQuery, 'after'> & Partial<NonNullable<ListQuery['after']>>
type Condition = (given: Given<ListValues>) => SQL

const hasStatus: Condition = (given) => eq(d.status, given.status)
const isAfter: Condition = (given) =>
  sql`(${d.createdAt}, ${d.id}) < (${given.createdAt}, ${given.id})`

const selectPage = (...conditions: Condition[]) =>
  statement((given: Given<ListValues>) =>
    build
      .select(rowColumns)
      .from(d)
      .where(and(eq(d.webhookId, given.webhookId), ...conditions.map((one) => one(given))))
      .orderBy(desc(d.createdAt), desc(d.id))
      .limit(given.limit),
  )

// One statement for each combination of filters, so that each is planned with the index that fits.
const pages = {
  all: { first: selectPage(), later: selectPage(isAfter) },
  withStatus: { first: selectPage(hasStatus), later: selectPage(hasStatus, isAfter) },
}

export type DeliveryRow = Awaited<ReturnType<typeof pages.all.first>>[number]

/** A page of the deliveries of a webhook, newest first. */
export function listDeliveries(
  on: Queryable,
  { webhookId, status, limit, after }: ListQuery,
): Promise<DeliveryRow[]> {
  const { first, later } = status ? pages.withStatus : pages.all
  const selectRows = after ? later : first
  return selectRows(on, { webhookId, limit, status, ...after })
}

/** A delivery for each of these webhooks. The transaction keeps them from being deleted. */
export async function insertDeliveries(
  client: Queryable,
  webhookIds: readonly string[],
  { event, body }: { event: MessageType; body: string },
): Promise<string[]> {
  const rows = await client.query<{ id: string }>(
    `insert into gateway.webhook_deliveries (webhook_id, event, body, host, is_slow)
     select w.id, $2, $3, w.host, w.is_slow from gateway.webhooks w where w.id = any($1::uuid[])
     returning id`,
    [webhookIds, event, body],
  )
  return rows.map(({ id }) => id)
}

/** At most `limit`, since more need not be counted. */
export async function countPendingTests(
  client: Queryable,
  webhookId: string,
  limit: number,
): Promise<number> {
  const [row] = await client.query<{ count: number }>(
    `select count(*) as count from (select 1 from gateway.webhook_deliveries
       where webhook_id = $1 and status = 'pending' and event = 'test' limit $2) pending`,
    [webhookId, limit],
  )
  return row?.count ?? 0
}

/** Whether the webhook has such a delivery. */
export async function isDelivery(
  client: Queryable,
  webhookId: string,
  id: string,
): Promise<boolean> {
  const rows = await client.query(
    'select 1 from gateway.webhook_deliveries where webhook_id = $1 and id = $2',
    [webhookId, id],
  )
  return rows.length > 0
}

/**
 * The same message once more: now, or after the attempt under way. Its retries start again. False
 * when the webhook has no such delivery. The webhook is locked.
 */
export async function requestAgain(
  client: Queryable,
  { webhookId, id }: { webhookId: string; id: string },
): Promise<boolean> {
  const rows = await client.query(
    `update gateway.webhook_deliveries d set status = 'pending', failures = 0,
       next_attempt_at = now(), ended_at = null, again = d.lease_token is not null,
       host = w.host, is_slow = w.is_slow
     from gateway.webhooks w where w.id = $1 and d.webhook_id = $1 and d.id = $2 returning d.id`,
    [webhookId, id],
  )
  return rows.length > 0
}

/** Ends what waits for a webhook that was disabled. Attempts under way end by themselves. */
export async function failWaiting(client: Queryable, webhookId: string): Promise<void> {
  await client.query(
    `update gateway.webhook_deliveries set status = 'failed', last_error = 'disabled',
       next_attempt_at = null, ended_at = now(), again = false
     where webhook_id = $1 and status = 'pending' and lease_token is null`,
    [webhookId],
  )
}

const retention = '7 days'
const maxTogether = 1_000

/** Deletes deliveries whose end is a week ago; returns how many. */
export async function pruneDeliveries(database: Queryable): Promise<number> {
  const rows = await database.query(
    `delete from gateway.webhook_deliveries where id in (
       select id from gateway.webhook_deliveries
       where ended_at < now() - interval '${retention}' limit ${maxTogether})
     returning id`,
  )
  return rows.length
}

/** Deliveries that have not ended, of all replicas. */
export async function countPending(database: Queryable): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `select (select count(*) from gateway.webhook_deliveries
         where status = 'pending' and lease_token is null)
       + (select count(*) from gateway.webhook_deliveries where lease_token is not null) as count`,
  )
  return row?.count ?? 0
}
