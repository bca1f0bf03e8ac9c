// Tickets: each opens one thing, once, within a minute. The table holds their hashes only.
// Redeeming deletes the row, so of several attempts on any replicas exactly one succeeds.
import { createHash, randomBytes } from 'node:crypto'
import { and, eq, gt, lte, sql } from 'drizzle-orm'
import type { Queryable } from '../database/connection.ts'
import { type MakerEntry, tickets } from '../database/schema/users.ts'
import { build, columns, type Given, statement } from '../database/statement.ts'
import { type TicketPurpose, ticketSeconds } from '../domain/ticket-purposes.ts'

/** What a ticket opens. `presentationId` is null for purposes that concern no presentation. */
export interface TicketScope {
  purpose: TicketPurpose
  presentationId: string | null
}

export interface TicketRequest extends TicketScope {
  userId: string
  tokenExpiresAt: Date
  /** Of purpose `maker`. */
  entry?: MakerEntry | undefined
}

/** Returns a new ticket, or undefined when the presentation is not this user's. */
export async function issueTicket(
  database: Queryable,
  { userId, purpose, presentationId, tokenExpiresAt, entry }: TicketRequest,
): Promise<string | undefined> {
  const ticket = randomBytes(32).toString('base64url')
  // Raw: the owner check and the insert are one statement. A token may end in the year 275760,
  // which Postgres takes as a number but not as a text.
  const rows = await database.query(
    `insert into gateway.tickets (hash, user_id, purpose, presentation_id, expires_at, token_expires_at, entry)
     select $1, $2, $3, $4::uuid, now() + $5 * interval '1 second', to_timestamp($6::float8 / 1000), $7::json
     where $4 is null
       or exists (select 1 from gateway.presentations p where p.id = $4 and p.user_id = $2)
     returning 1`,
    [
      ...[hashOf(ticket), userId, purpose, presentationId],
      ...[ticketSeconds, tokenExpiresAt.getTime(), entry ? JSON.stringify(entry) : null],
    ],
  )
  return rows.length > 0 ? ticket : undefined
}

export interface TicketUse extends TicketScope {
  ticket: string
}

const deleteTicket = statement((given: Given<TicketScope & { hash: string }>) =>
  build
    .delete(tickets)
    .where(
      and(
        eq(tickets.hash, given.hash),
        eq(tickets.purpose, given.purpose),
        // As text: the id comes from a path and may be no UUID.
        sql`${tickets.presentationId}::text is not distinct from lower(${given.presentationId})`,
        gt(tickets.expiresAt, sql`now()`),
        gt(tickets.tokenExpiresAt, sql`now()`),
      ),
    )
    .returning({
      ...columns(tickets, 'userId', 'entry'),
      // As a number, as above.
      tokenExpiresAtMs:
        sql<number>`(extract(epoch from ${tickets.tokenExpiresAt}) * 1000)::float8`.as(
          'tokenExpiresAtMs',
        ),
    }),
)

/** Whom a ticket stands for, until when, and where it leads. */
export interface TicketHolder {
  userId: string
  expiresAt: Date
  entry?: MakerEntry
}

/**
 * Uses the ticket up. Returns its user and the end of the token that issued it; undefined for a
 * ticket that is unknown, used, expired, or of another purpose or presentation.
 */
export async function redeemTicket(
  database: Queryable,
  { ticket, purpose, presentationId }: TicketUse,
): Promise<TicketHolder | undefined> {
  const [row] = await deleteTicket(database, { hash: hashOf(ticket), purpose, presentationId })
  if (!row) return undefined
  const { userId, tokenExpiresAtMs, entry } = row
  const holder = { userId, expiresAt: new Date(tokenExpiresAtMs) }
  return entry ? { ...holder, entry } : holder
}

/** The user of a ticket of the maker, which stays unused; undefined if it opens nothing. */
export async function findTicketUser(
  database: Queryable,
  ticket: string,
): Promise<string | undefined> {
  const [row] = await database.query<{ userId: string }>(
    `select user_id as "userId" from gateway.tickets
     where hash = $1 and purpose = 'maker' and expires_at > now() and token_expires_at > now()`,
    [hashOf(ticket)],
  )
  return row?.userId
}

const deleteExpired = statement(() =>
  build.delete(tickets).where(lte(tickets.expiresAt, sql`now()`)),
)

/** Deletes expired tickets. */
export async function pruneTickets(database: Queryable): Promise<void> {
  await deleteExpired(database)
}

/** 32 random bytes need neither salt nor a slow hash. */
function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url')
}
