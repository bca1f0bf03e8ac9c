// The rows of webhooks. A change of a webhook and its deliveries locks the webhook first, so that
// two of them cannot deadlock. `for no key update` lets the outbox insert deliveries at the same
// time.

import { and, desc, eq, sql } from 'drizzle-orm'
import type { DisabledReason, WebhookEvent } from '../../contract/webhook.ts'
import type { Queryable } from '../../database/connection.ts'
import { webhooks } from '../../database/schema/webhooks.ts'
import { build, columns, type Given, statement } from '../../database/statement.ts'
import { failWaiting } from './deliveries.ts'

export interface OwnWebhook {
  userId: string
  id: string
}

const rowColumns = columns(
  webhooks,
  ...(['id', 'userId', 'url', 'host', 'events', 'description', 'enabled'] as const),
  ...(['disabledReason', 'secrets', 'createdAt', 'updatedAt'] as const),
)

const isOwn = (given: Given<OwnWebhook>) =>
  and(eq(webhooks.id, given.id), eq(webhooks.userId, given.userId))

const select = () => build.select(rowColumns).from(webhooks)

const selectOwn = statement((given: Given<OwnWebhook>) => select().where(isOwn(given)))
const selectLocked = statement((given: Given<OwnWebhook>) =>
  select().where(isOwn(given)).for('no key update'),
)
const selectAll = statement((given: Given<{ userId: string }>) =>
  select()
    .where(eq(webhooks.userId, given.userId))
    .orderBy(desc(webhooks.createdAt), desc(webhooks.id)),
)

export type WebhookRow = Awaited<ReturnType<typeof selectOwn>>[number]

/** Undefined for an unknown webhook, and for one of another user. */
export async function findWebhook(on: Queryable, own: OwnWebhook): Promise<WebhookRow | undefined> {
  const [row] = await selectOwn(on, { userId: own.userId, id: own.id })
  return row
}

/** The same, locked until the transaction ends. */
export async function lockWebhook(
  client: Queryable,
  own: OwnWebhook,
): Promise<WebhookRow | undefined> {
  const [row] = await selectLocked(client, { userId: own.userId, id: own.id })
  return row
}

/** Newest first. */
export const listWebhooks = (on: Queryable, userId: string): Promise<WebhookRow[]> =>
  selectAll(on, { userId })

/** Makes others who add webhooks of this user wait; returns how many there are. */
export async function lockUserWebhooks(client: Queryable, userId: string): Promise<number> {
  await client.query(`select pg_advisory_xact_lock(hashtextextended('webhooks of ' || $1, 0))`, [
    userId,
  ])
  const [row] = await client.query<{ count: number }>(
    'select count(*) as count from gateway.webhooks where user_id = $1',
    [userId],
  )
  return row?.count ?? 0
}

/**
 * The user's enabled webhooks for this event, and the time of the transaction. Locked against
 * deletion: a delivery without its webhook would fail the whole transaction.
 */
export function lockWanting(
  client: Queryable,
  userId: string,
  event: WebhookEvent,
): Promise<{ id: string; now: Date }[]> {
  return client.query(
    `select id, now() as now from gateway.webhooks
     where user_id = $1 and enabled and $2 = any(events) order by id for key share`,
    [userId, event],
  )
}

export type NewRow = Pick<
  WebhookRow,
  'id' | 'userId' | 'url' | 'host' | 'events' | 'description' | 'secrets'
>

export async function insertWebhook(client: Queryable, row: NewRow): Promise<WebhookRow> {
  await client.query(
    `insert into gateway.webhooks (id, user_id, url, host, events, description, secrets)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [row.id, row.userId, row.url, row.host, row.events, row.description, encode(row.secrets)],
  )
  return readWebhook(client, row)
}

export interface RowChanges extends Pick<WebhookRow, 'url' | 'host' | 'events' | 'description'> {
  enabled: boolean
  /** Forget its failures. */
  resets: boolean
}

/** Writes a webhook that this transaction has locked. Pending deliveries take its new URL. */
export async function updateWebhook(
  client: Queryable,
  { id, userId }: OwnWebhook,
  { url, host, events, description, enabled, resets }: RowChanges,
): Promise<WebhookRow> {
  await client.query(
    `update gateway.webhooks set url = $2, host = $3, events = $4, description = $5, enabled = $6,
       disabled_reason = case when $6 then null else disabled_reason end,
       updated_at = clock_timestamp() where id = $1`,
    [id, url, host, events, description, enabled],
  )
  if (resets) await resetFailures(client, id)
  await client.query(
    `update gateway.webhook_deliveries d set host = w.host, is_slow = w.is_slow
     from gateway.webhooks w where w.id = $1 and d.webhook_id = $1 and d.status = 'pending'
       and (d.host, d.is_slow) is distinct from (w.host, w.is_slow)`,
    [id],
  )
  if (!enabled) await failWaiting(client, id)
  return readWebhook(client, { id, userId })
}

async function resetFailures(client: Queryable, id: string): Promise<void> {
  await client.query(
    `update gateway.webhooks set failures = 0, failing_since = null, is_slow = false,
       response_ms = null where id = $1`,
    [id],
  )
}

/** Disables an enabled webhook that this transaction has locked, and ends its deliveries. */
export async function disableWebhook(
  client: Queryable,
  id: string,
  reason: DisabledReason,
): Promise<void> {
  await client.query(
    `update gateway.webhooks set enabled = false, disabled_reason = $2,
       updated_at = clock_timestamp() where id = $1`,
    [id, reason],
  )
  await failWaiting(client, id)
}

/** How long an earlier secret signs deliveries, too. */
const rotationHours = 24

/** Puts a new secret in front; the earlier ones expire. Each keeps its own time. */
export async function rotateSecret(
  client: Queryable,
  { id }: OwnWebhook,
  sealed: string,
  maxSecrets: number,
): Promise<void> {
  const expiry = `to_jsonb(now() + interval '${rotationHours} hours')`
  await client.query(
    `update gateway.webhooks set updated_at = clock_timestamp(),
       secrets = jsonb_build_array(jsonb_build_object('sealed', $2::text, 'expiresAt', null)) || (
         select coalesce(jsonb_agg(case when s->>'expiresAt' is null
           then jsonb_set(s, '{expiresAt}', ${expiry}) else s end order by n), '[]')
         from jsonb_array_elements(secrets) with ordinality as old(s, n)
         where n < $3 and coalesce((s->>'expiresAt')::timestamptz > now(), true))
     where id = $1`,
    [id, sealed, maxSecrets],
  )
}

const deleteOwn = statement((given: Given<OwnWebhook>) =>
  build
    .delete(webhooks)
    .where(isOwn(given))
    .returning({ id: sql<string>`${webhooks.id}` }),
)

/** Its deliveries go with it. False when there is none. */
export async function deleteWebhook(on: Queryable, own: OwnWebhook): Promise<boolean> {
  return (await deleteOwn(on, { userId: own.userId, id: own.id })).length > 0
}

async function readWebhook(client: Queryable, own: OwnWebhook): Promise<WebhookRow> {
  const row = await findWebhook(client, own)
  if (!row) throw new Error('The webhook of this transaction does not exist.')
  return row
}

const encode = (secrets: WebhookRow['secrets']) => JSON.stringify(secrets)
