// Sessions of the slide maker, one for each browser. The cookie holds the id; here is its hash.

import { sql } from 'drizzle-orm'
import { index, text } from 'drizzle-orm/pg-core'
import { gateway, time } from './gateway.ts'

export const makerSessions = gateway.table(
  'maker_sessions',
  {
    /** SHA-256 of the id, which is stored nowhere. */
    hash: text('hash').primaryKey(),
    userId: text('user_id').notNull(),
    /** How the token calls the user; null if it says nothing. */
    userName: text('user_name'),
    createdAt: time('created_at').notNull().default(sql`now()`),
    /** The end of the token that the session came from. */
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [
    index('maker_sessions_of').on(table.userId),
    index('maker_sessions_expired').on(table.expiresAt),
  ],
)
