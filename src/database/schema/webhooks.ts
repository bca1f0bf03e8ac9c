// Webhooks, and their deliveries: the outbox. A delivery's row is written in the transaction of the
// change that it reports, and outlives the presentation.

import { sql } from 'drizzle-orm'
import { boolean, index, integer, jsonb, text, uuid } from 'drizzle-orm/pg-core'
import {
  deliveryErrors,
  deliveryStatuses,
  disabledReasons,
  messageTypes,
  type WebhookEvent,
} from '../../contract/webhook.ts'
import { gateway, time } from './gateway.ts'

/** A secret under WEBHOOK_SECRET_KEY. An earlier one signs until it expires. */
export interface StoredSecret {
  sealed: string
  /** RFC 3339; null for the current secret. */
  expiresAt: string | null
}

export const webhooks = gateway.table(
  'webhooks',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    url: text('url').notNull(),
    /** Host and port of the URL. */
    host: text('host').notNull(),
    events: text('events').array().$type<WebhookEvent[]>().notNull(),
    description: text('description'),
    enabled: boolean('enabled').notNull().default(true),
    disabledReason: text('disabled_reason', { enum: disabledReasons }),
    /** The current secret first. */
    secrets: jsonb('secrets').$type<StoredSecret[]>().notNull(),
    /** Failed attempts since the last success. */
    failures: integer('failures').notNull().default(0),
    /** The first failed attempt since the last success. */
    failingSince: time('failing_since'),
    /** The latest attempt failed or was slow. */
    isSlow: boolean('is_slow').notNull().default(false),
    /** How long the latest success took; null before the first. */
    responseMs: integer('response_ms'),
    createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
    updatedAt: time('updated_at').notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    index('webhooks_of_user').on(table.userId, table.createdAt),
    index('webhooks_failing')
      .on(table.failingSince)
      .where(sql`${table.enabled} and ${table.failingSince} is not null`),
  ],
)

export const webhookDeliveries = gateway.table(
  'webhook_deliveries',
  {
    /** The `webhook-id` of the message. */
    id: uuid('id').primaryKey().default(sql`gen_random_uuid()`),
    webhookId: uuid('webhook_id')
      .notNull()
      .references(() => webhooks.id, { onDelete: 'cascade' }),
    event: text('event', { enum: messageTypes }).notNull(),
    body: text('body').notNull(),
    status: text('status', { enum: deliveryStatuses }).notNull().default('pending'),
    attempts: integer('attempts').notNull().default(0),
    /** Failed attempts since the delivery was made or requested again. */
    failures: integer('failures').notNull().default(0),
    lastStatus: integer('last_status'),
    lastError: text('last_error', { enum: deliveryErrors }),
    /** Null once the delivery has ended. */
    nextAttemptAt: time('next_attempt_at').default(sql`now()`),
    /** It was requested again while an attempt was under way. */
    again: boolean('again').notNull().default(false),
    /** Of the webhook, while the delivery is pending. */
    host: text('host').notNull(),
    isSlow: boolean('is_slow').notNull(),
    /** Of the attempt under way. */
    leaseToken: uuid('lease_token'),
    leaseExpiresAt: time('lease_expires_at'),
    createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
    endedAt: time('ended_at'),
  },
  (table) => [
    index('webhook_deliveries_listed').on(table.webhookId, table.createdAt, table.id),
    index('webhook_deliveries_by_status').on(
      table.webhookId,
      table.status,
      table.createdAt,
      table.id,
    ),
    index('webhook_deliveries_waiting')
      .on(table.isSlow, table.host, table.nextAttemptAt)
      .where(sql`${table.status} = 'pending' and ${table.leaseToken} is null`),
    index('webhook_deliveries_due')
      .on(table.nextAttemptAt)
      .where(sql`${table.status} = 'pending' and ${table.leaseToken} is null`),
    index('webhook_deliveries_leased')
      .on(table.leaseExpiresAt)
      .where(sql`${table.leaseToken} is not null`),
    index('webhook_deliveries_ended').on(table.endedAt).where(sql`${table.endedAt} is not null`),
  ],
)
