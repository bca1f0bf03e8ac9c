// What a presentation has outside this database: objects in the store, decks and images upstream.
// Uploads and decks stay recorded after their presentation is deleted, until they are removed.

import { sql } from 'drizzle-orm'
import { bigint, index, integer, json, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { exportFormats } from '../../contract/presentation.ts'
import { gateway, time } from './gateway.ts'
import { presentations } from './presentations.ts'

/** The finished files of a presentation, one for each format. */
export const files = gateway.table(
  'files',
  {
    presentationId: uuid('presentation_id')
      .notNull()
      .references(() => presentations.id, { onDelete: 'cascade' }),
    format: text('format', { enum: exportFormats }).notNull(),
    objectKey: text('object_key').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    /** In hexadecimal. */
    sha256: text('sha256').notNull(),
    contentType: text('content_type').notNull(),
    storedAt: time('stored_at').notNull().defaultNow(),
    /** The revision of the deck when its export began. */
    revision: integer('revision').notNull().default(1),
  },
  (table) => [
    primaryKey({ columns: [table.presentationId, table.format] }),
    index('files_object_key').on(table.objectKey),
  ],
)

/** Every object key, recorded before its upload begins. */
export const uploads = gateway.table(
  'uploads',
  {
    objectKey: text('object_key').primaryKey(),
    /** Null for a source, which belongs to no presentation. */
    presentationId: uuid('presentation_id'),
    /** The lease that may still store this object; null for an upload that belongs to no run. */
    leaseToken: uuid('lease_token'),
    recordedAt: time('recorded_at').notNull().defaultNow(),
    /** When the object may be removed; null while a file names it. */
    removeAfter: time('remove_after'),
  },
  (table) => [
    index('uploads_to_remove').on(table.removeAfter).where(sql`${table.removeAfter} is not null`),
    index('uploads_of_presentation').on(table.presentationId),
  ],
)

/** Every deck that was made in Presenton. */
export const decks = gateway.table(
  'decks',
  {
    deckId: text('deck_id').primaryKey(),
    presentationId: uuid('presentation_id').notNull(),
    /** The account in Presenton that owns it; null for the shared one. */
    account: text('account'),
    createdAt: time('created_at').notNull().defaultNow(),
    /** The finished deck as Presenton sent it; the `complete` event shows it. */
    finished: json('finished').$type<object>(),
    /** The revision that `finished` shows. */
    finishedRevision: integer('finished_revision').notNull().default(1),
    /** A digest of each slide as upstream last returned it; null while they are not known. */
    slideDigests: text('slide_digests').array(),
    /** When the deck may be removed upstream; null while its presentation exists. */
    removeAfter: time('remove_after'),
  },
  (table) => [
    index('decks_of_presentation').on(table.presentationId),
    index('decks_to_remove').on(table.removeAfter),
  ],
)

/** The images in a user's slides: the gateway serves no others to this user. */
export const images = gateway.table(
  'assets',
  {
    userId: text('user_id').notNull(),
    /** Upstream's path, not percent-encoded. */
    path: text('path').notNull(),
    presentationId: uuid('presentation_id').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.path, table.presentationId] }),
    index('assets_of_presentation').on(table.presentationId),
  ],
)
