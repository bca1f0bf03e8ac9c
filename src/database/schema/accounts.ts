// The accounts of users in Presenton: their sessions, and who is logging in. No password is stored.

import { index, integer, text, uuid } from 'drizzle-orm/pg-core'
import { gateway, time } from './gateway.ts'

export const upstreamAccounts = gateway.table(
  'upstream_accounts',
  {
    /** The account's name in Presenton. */
    name: text('name').primaryKey(),
    userId: text('user_id').notNull(),
    /** Presenton's id of the account; null before the first login. */
    upstreamId: text('upstream_id'),
    /** The cookie of the session, encrypted. */
    session: text('session'),
    /** Presenton accepted the session at this time. */
    verifiedAt: time('verified_at'),
    /** No login before this time: Presenton refused the latest ones. */
    blockedUntil: time('blocked_until'),
    /** Logins that were refused since the last success. */
    refusals: integer('refusals').notNull().default(0),
    /** Of the replica that logs in now. */
    loginToken: uuid('login_token'),
    /** When another replica may log in although this one has not finished. */
    loginUntil: time('login_until'),
  },
  (table) => [index('upstream_accounts_of_user').on(table.userId)],
)

/** One row: the queue of all logins, because Presenton's nginx limits them together. */
export const upstreamLogins = gateway.table('upstream_logins', {
  id: integer('id').primaryKey(),
  /** When all logins that have a place will be done, at the limit's rate. */
  busyUntil: time('busy_until').notNull(),
  /** Until then there is known to be no limit, or to be one. */
  unlimitedUntil: time('unlimited_until'),
  limitedUntil: time('limited_until'),
})
