// Notifications, numbered per channel: `general` is everybody's, `user_{id}` one user's.

import { sql } from 'drizzle-orm'
import { bigint, boolean, index, jsonb, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core'
import { notificationTypes, priorities } from '../../contract/notification.ts'
import { gateway, time } from './gateway.ts'

/**
 * The counter of a channel. Its row lock serialises the writers until they commit, so a reader that
 * has seen a number has seen all smaller ones.
 */
export const notificationChannels = gateway.table('notification_channels', {
  channel: text('channel').primaryKey(),
  lastSeq: bigint('last_seq', { mode: 'number' }).notNull().default(0),
  /** The last number that the retention has removed: a cursor before it has expired. */
  prunedSeq: bigint('pruned_seq', { mode: 'number' }).notNull().default(0),
})

export const notifications = gateway.table(
  'notifications',
  {
    id: uuid('id').primaryKey().default(sql`gen_random_uuid()`),
    channel: text('channel').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    notificationType: text('notification_type', { enum: notificationTypes }).notNull(),
    title: text('title').notNull(),
    message: text('message').notNull(),
    data: jsonb('data').$type<Record<string, unknown>>().notNull().default({}),
    priority: text('priority', { enum: priorities }).notNull().default('normal'),
    category: text('category').notNull(),
    /** Of an announcement; those about a presentation link to it. */
    actionUrl: text('action_url'),
    actionText: text('action_text'),
    /** Unused in channel `general`, where each user has a mark. */
    read: boolean('read').notNull().default(false),
    /** The notification goes with this presentation. */
    presentationId: uuid('presentation_id'),
    createdAt: time('created_at').notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    unique('notifications_of_channel').on(table.channel, table.seq),
    index('notifications_listed').on(table.channel, table.createdAt, table.id),
    index('notifications_unread').on(table.channel, table.seq).where(sql`not ${table.read}`),
    index('notifications_of_presentation')
      .on(table.presentationId)
      .where(sql`${table.presentationId} is not null`),
    index('notifications_created').on(table.createdAt),
  ],
)

/** What a user did with a notification of channel `general`. */
export const notificationMarks = gateway.table(
  'notification_marks',
  {
    userId: text('user_id').notNull(),
    notificationId: uuid('notification_id')
      .notNull()
      .references(() => notifications.id, { onDelete: 'cascade' }),
    /** Deleted for this user; otherwise read. */
    isHidden: boolean('is_hidden').notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.notificationId] }),
    index('notification_marks_of').on(table.notificationId),
  ],
)
