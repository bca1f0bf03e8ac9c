// Documents that users uploaded, and which presentations are made from them.

import { sql } from 'drizzle-orm'
import { bigint, index, integer, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { sourceTypes } from '../../contract/source.ts'
import { gateway, time } from './gateway.ts'

export const sources = gateway.table(
  'sources',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    name: text('name').notNull(),
    contentType: text('content_type', { enum: sourceTypes as [string] }).notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    /** In hexadecimal. */
    sha256: text('sha256').notNull(),
    objectKey: text('object_key').notNull(),
    createdAt: time('created_at').notNull().defaultNow(),
    /** Set when its user no longer has it, while a presentation may still need its object. */
    deletedAt: time('deleted_at'),
  },
  (table) => [
    index('sources_of_user')
      .on(table.userId, table.createdAt, table.id)
      .where(sql`${table.deletedAt} is null`),
    index('sources_deleted').on(table.deletedAt).where(sql`${table.deletedAt} is not null`),
    index('sources_created').on(table.createdAt).where(sql`${table.deletedAt} is null`),
    index('sources_object_key').on(table.objectKey),
  ],
)

/** The sources of a brief, in its order. The name stays known when the source is gone. */
export const presentationSources = gateway.table(
  'presentation_sources',
  {
    presentationId: uuid('presentation_id').notNull(),
    position: integer('position').notNull(),
    sourceId: uuid('source_id').notNull(),
    name: text('name').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.presentationId, table.position] }),
    index('presentation_sources_of').on(table.sourceId),
  ],
)
