// What the gateway keeps per user: quotas, idempotency keys and tickets.
import { sql } from 'drizzle-orm'
import { boolean, index, integer, json, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { ticketPurposes } from '../../domain/ticket-purposes.ts'
import { gateway, time } from './gateway.ts'

/**
 * The ledger of quotas, one row for each presentation. A row outlives its presentation while a
 * quota's window may still count it.
 */
export const ledger = gateway.table(
  'ledger',
  {
    presentationId: uuid('presentation_id').primaryKey(),
    userId: text('user_id').notNull(),
    acceptedAt: time('accepted_at').notNull(),
    /** Slides reserved, or made when the run has ended. */
    slides: integer('slides').notNull(),
    /** Counts in the sliding windows. */
    accepted: boolean('accepted').notNull().default(true),
    /** Counts in the totals. */
    kept: boolean('kept').notNull().default(true),
    /** A paid stage was started under this reservation. */
    paid: boolean('paid').notNull().default(false),
    /** A slide was made under this reservation. */
    slid: boolean('slid').notNull().default(false),
  },
  (table) => [
    index('ledger_accepted').on(table.userId, table.acceptedAt).where(sql`${table.accepted}`),
    index('ledger_kept').on(table.userId).where(sql`${table.kept}`),
    index('ledger_accepted_by_all').on(table.acceptedAt),
    index('ledger_let_go').on(table.acceptedAt).where(sql`not ${table.kept}`),
  ],
)

/** A response that can be sent again. */
export interface StoredResponse {
  status: number
  location: string
  body: unknown
}

export const idempotencyKeys = gateway.table(
  'idempotency_keys',
  {
    userId: text('user_id').notNull(),
    key: text('key').notNull(),
    /** Hash of method, path and body. */
    fingerprint: text('fingerprint').notNull(),
    /** Null while the first request is processed. */
    response: json('answer').$type<StoredResponse>(),
    createdAt: time('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.key] }),
    index('idempotency_keys_created').on(table.createdAt),
  ],
)

/** How a visitor enters the slide maker. */
export interface MakerEntry {
  /** A path of the maker. */
  returnTo: string
  /** How the token calls the user; null if it says nothing. */
  userName: string | null
}

/** Single-use credentials for requests that can send neither header nor cookie. */
export const tickets = gateway.table(
  'tickets',
  {
    /** SHA-256 of the ticket, which is stored nowhere. */
    hash: text('hash').primaryKey(),
    userId: text('user_id').notNull(),
    purpose: text('purpose', { enum: ticketPurposes }).notNull().default('events'),
    /** The presentation that the ticket is bound to; null where its purpose needs none. */
    presentationId: uuid('presentation_id'),
    expiresAt: time('expires_at').notNull(),
    /** End of the token that issued the ticket: what the ticket opens ends then, too. */
    tokenExpiresAt: time('token_expires_at').notNull(),
    /** Where the ticket leads, and for whom; only of purpose `maker`. */
    entry: json('entry').$type<MakerEntry>(),
  },
  (table) => [index('tickets_expired').on(table.expiresAt)],
)
