// Who may start the regeneration of a deck: one session, once, shortly after its interface asked.

import { integer, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { gateway, time } from './gateway.ts'

export const makerGrants = gateway.table(
  'maker_grants',
  {
    /** The hash of the session. */
    session: text('session').notNull(),
    presentationId: uuid('presentation_id').notNull(),
    /** The latest run when it was granted: no other run may have started since. */
    run: integer('run').notNull(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.session, table.presentationId] })],
)
