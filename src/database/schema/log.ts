// The event log of a presentation, and the lease that alone may append to it.
import { bigint, boolean, integer, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { gateway, time } from './gateway.ts'
import { presentations } from './presentations.ts'

/**
 * The lock of a presentation and the counter of its events. Narrow, half-filled pages and no index
 * on what changes keep its frequent updates in place.
 */
export const leases = gateway.table('leases', {
  presentationId: uuid('presentation_id')
    .primaryKey()
    .references(() => presentations.id, { onDelete: 'cascade' }),
  token: uuid('token'),
  expiresAt: time('expires_at'),
  /** The last number given to an event. */
  lastSeq: bigint('last_seq', { mode: 'number' }).notNull().default(0),
})

/**
 * Events with dense numbers per presentation. Every append updates the lease row, which has the
 * foreign key; a second one here would double the cost of an insert.
 */
export const events = gateway.table(
  'events',
  {
    presentationId: uuid('presentation_id').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    run: integer('run').notNull(),
    /** Ends its run. */
    terminal: boolean('terminal').notNull().default(false),
    /** The event's type. Null in rows of releases that did not record it. */
    kind: text('kind'),
    /** The encoded JSON. `text`: jsonb refuses the NULs that a model may write. */
    data: text('data').notNull(),
  },
  (table) => [primaryKey({ columns: [table.presentationId, table.seq] })],
)
