// The outcome of an attempt. Only the lease holder writes it, so nothing is counted twice.

import type { DeliveryError, DisabledReason } from '../../contract/webhook.ts'
import type { Database, Queryable } from '../../database/connection.ts'
import type { ExtraStatement } from '../../database/run-write.ts'
import type { ClaimedDelivery } from './claim.ts'
import { disableWebhook } from './webhooks.ts'

type Held = Pick<ClaimedDelivery, 'id' | 'token' | 'webhookId' | 'url'>

/** Tells the owner ($1) that a webhook was disabled. */
export type ReportDisabled = (webhook: {
  id: string
  userId: string
  host: string
  reason: DisabledReason
}) => ExtraStatement

export interface DisableRules {
  disableMs: number
  reportDisabled: ReportDisabled
}

/** So many failed attempts in a row disable a webhook, if they take at least this long. */
const maxFailures = 50
const minFailingHours = 12

const isFailing = (
  w: string,
  disableMs: string,
) => `(${w}.failing_since <= now() - ${disableMs} * interval '1 ms'
  or ${w}.failures >= ${maxFailures} and ${w}.failing_since <= now() - interval '${minFailingHours} hours')`

interface LockedWebhook {
  enabled: boolean
  userId: string
  host: string
  url: string
}

async function lock(client: Queryable, webhookId: string): Promise<LockedWebhook | undefined> {
  const [row] = await client.query<LockedWebhook>(
    `select enabled, user_id as "userId", host, url from gateway.webhooks where id = $1
     for no key update`,
    [webhookId],
  )
  return row
}

/** The message was accepted. False when the lease was lost, or the webhook was deleted. */
export function finishDelivered(
  database: Pick<Database, 'transaction'>,
  held: Held,
  { status, responseMs }: { status: number; responseMs: number },
): Promise<boolean> {
  return database.transaction(async (client) => {
    const webhook = await lock(client, held.webhookId)
    if (!webhook) return false
    const rows = await client.query(
      `update gateway.webhook_deliveries set attempts = attempts + 1, last_status = $3,
         last_error = null, failures = 0, lease_token = null, lease_expires_at = null,
         again = false, is_slow = false,
         status = case when again then 'pending' else 'delivered' end,
         next_attempt_at = case when again then now() end,
         ended_at = case when again then null else now() end
       where id = $1 and lease_token = $2 returning id`,
      [held.id, held.token, status],
    )
    if (rows.length === 0) return false
    if (webhook.url !== held.url) return true
    await client.query(
      `update gateway.webhooks set failures = 0, failing_since = null, is_slow = false,
         response_ms = $2 where id = $1`,
      [held.webhookId, Math.round(responseMs)],
    )
    await setLane(client, held.webhookId, false)
    return true
  })
}

export interface Failure {
  error: DeliveryError
  status: number | null
  /** Undefined after the last attempt. */
  retryMs: number | undefined
  isGone: boolean
  /** Whether the receiver is to blame. */
  counts: boolean
}

export type Failed = 'retried' | 'failed' | 'lost'

/** The attempt failed: another follows, or none. May disable the webhook. */
export async function finishFailed(
  database: Pick<Database, 'transaction'>,
  held: Held,
  result: Failure,
  rules: DisableRules,
): Promise<Failed> {
  let report: ExtraStatement | undefined
  const outcome = await database
    .transaction(async (client): Promise<Failed> => {
      report = undefined
      const webhook = await lock(client, held.webhookId)
      if (!webhook) return 'lost'
      const failure = webhook.url === held.url ? result : ofEarlierUrl(result)
      const reason = failure.counts
        ? await countFailure(client, held.webhookId, { ...rules, isGone: failure.isGone })
        : undefined
      const isOver = failure.retryMs === undefined || failure.isGone
      const [row] = await client.query<{ status: string }>(
        `update gateway.webhook_deliveries set attempts = attempts + 1, last_status = $3,
         last_error = $4, lease_token = null, lease_expires_at = null, again = false,
         failures = case when again then 0 else failures + 1 end,
         is_slow = is_slow or $7,
         status = case when $5 and not again or not $8 then 'failed' else 'pending' end,
         next_attempt_at = case when $5 and not again or not $8 then null
           when again then now() else now() + $6 * interval '1 ms' end,
         ended_at = case when $5 and not again or not $8 then now() end
       where id = $1 and lease_token = $2 returning status`,
        [
          held.id,
          held.token,
          failure.status,
          failure.error,
          isOver,
          failure.retryMs ?? 0,
          failure.counts,
          webhook.enabled,
        ],
      )
      // An attempt whose lease was lost does not count: it is made again.
      if (!row) throw leaseLost
      if (failure.counts) await setLane(client, held.webhookId, true)
      if (reason && webhook.enabled) {
        report = await disable(client, { ...webhook, id: held.webhookId }, { ...rules, reason })
      }
      return row.status === 'failed' || report ? 'failed' : 'retried'
    })
    .catch((error: unknown): Failed => {
      if (error !== leaseLost) throw error
      return 'lost'
    })
  report?.onCommitted?.()
  return outcome
}

/** The webhook has a new URL: the failure does not count, and the message is sent at once. */
const ofEarlierUrl = (failure: Failure): Failure => ({
  ...failure,
  retryMs: 0,
  isGone: false,
  counts: false,
})

const leaseLost = Symbol('lease lost')

async function countFailure(
  client: Queryable,
  webhookId: string,
  { isGone, disableMs }: { isGone: boolean; disableMs: number },
): Promise<DisabledReason | undefined> {
  const [row] = await client.query<{ isFailing: boolean }>(
    `update gateway.webhooks w set failures = failures + 1,
       failing_since = coalesce(failing_since, now()), is_slow = true
     where id = $1 returning ${isFailing('w', '$2')} as "isFailing"`,
    [webhookId, disableMs],
  )
  if (isGone) return 'gone'
  return row?.isFailing ? 'failing' : undefined
}

async function disable(
  client: Queryable,
  webhook: Omit<LockedWebhook, 'enabled'> & { id: string },
  { reason, reportDisabled }: DisableRules & { reason: DisabledReason },
): Promise<ExtraStatement> {
  await disableWebhook(client, webhook.id, reason)
  const report = reportDisabled({ ...webhook, reason })
  await client.query(report.text, [webhook.userId, ...report.values])
  return report
}

/** Disables webhooks that fail for too long while nothing is sent. Returns how many. */
export async function disableFailing(
  database: Pick<Database, 'query' | 'transaction'>,
  rules: DisableRules,
): Promise<number> {
  const due = await database.query<{ id: string }>(
    `select id from gateway.webhooks w where enabled and failing_since is not null
       and ${isFailing('w', '$1')} limit 100`,
    [rules.disableMs],
  )
  for (const { id } of due) {
    const report = await database.transaction(async (client) => {
      const webhook = await lock(client, id)
      const [row] = await client.query<{ isFailing: boolean }>(
        `select ${isFailing('w', '$2')} as "isFailing" from gateway.webhooks w
         where id = $1 and failing_since is not null`,
        [id, rules.disableMs],
      )
      if (!webhook?.enabled || !row?.isFailing) return undefined
      return disable(client, { ...webhook, id }, { ...rules, reason: 'failing' })
    })
    report?.onCommitted?.()
  }
  return due.length
}

/** Gives a delivery back without a result: it is sent again at once, in the same lane. */
export function releaseDelivery(
  database: Pick<Database, 'transaction'>,
  held: Held,
  { isSlow }: { isSlow: boolean },
): Promise<void> {
  return database.transaction(async (client) => {
    if (!(await lock(client, held.webhookId))) return
    await client.query(
      `update gateway.webhook_deliveries set lease_token = null, lease_expires_at = null,
         again = false, next_attempt_at = now(), is_slow = is_slow or $3
       where id = $1 and lease_token = $2`,
      [held.id, held.token, isSlow],
    )
    if (isSlow) await markSlow(client, held.webhookId)
  })
}

/** Moves a receiver that takes long while others wait to the slow lane. */
export async function markSlow(client: Queryable, webhookId: string): Promise<void> {
  await client.query(`update gateway.webhooks set is_slow = true where id = $1`, [webhookId])
  await setLane(client, webhookId, true)
}

async function setLane(client: Queryable, webhookId: string, isSlow: boolean): Promise<void> {
  await client.query(
    `update gateway.webhook_deliveries set is_slow = $2
     where webhook_id = $1 and status = 'pending' and lease_token is null and is_slow <> $2`,
    [webhookId, isSlow],
  )
}
