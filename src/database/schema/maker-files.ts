// What the slide maker keeps of documents and images, beside the sources themselves.

import { index, text, uuid } from 'drizzle-orm/pg-core'
import { gateway, time } from './gateway.ts'

/** Uploads of and searches for images, which are limited per user. */
export const makerUses = gateway.table(
  'maker_uses',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    kind: text('kind', { enum: ['image-upload', 'image-search'] }).notNull(),
    usedAt: time('used_at').notNull().defaultNow(),
  },
  (table) => [
    index('maker_uses_of').on(table.userId, table.kind, table.usedAt),
    index('maker_uses_used').on(table.usedAt),
  ],
)

/** What upstream read out of a source, for a day. */
export const documentTexts = gateway.table(
  'document_texts',
  {
    sourceId: uuid('source_id').primaryKey(),
    content: text('content').notNull(),
    readAt: time('read_at').notNull().defaultNow(),
  },
  (table) => [index('document_texts_read').on(table.readAt)],
)

/** The right of a user to have documents read, one request at a time. */
export const documentReads = gateway.table('document_reads', {
  userId: text('user_id').primaryKey(),
  token: uuid('token').notNull(),
  expiresAt: time('expires_at').notNull(),
})
