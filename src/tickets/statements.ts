// Tickets: each opens one event stream of one presentation, once, within a minute. The word itself
// is known only to whoever got it; here lies its hash. To use one is to delete it, so that of many
// uses at once, on whatever replica, one finds it.
import { createHash, randomBytes } from 'node:crypto'
import type { Database } from '../database/connection.ts'

export const ticketSeconds = 60

export interface TicketRequest {
  userId: string
  /** Of the presentation. */
  id: string
  tokenExpiresAt: Date
}

/** A new ticket; undefined when the presentation isn't this user's. */
export async function issueTicket(
  database: Pick<Database, 'query'>,
  { userId, id, tokenExpiresAt }: TicketRequest,
): Promise<string | undefined> {
  const ticket = randomBytes(32).toString('base64url')
  const rows = await database.query(
    `insert into gateway.tickets (hash, user_id, presentation_id, expires_at, token_expires_at)
     select $1, p.user_id, p.id, now() + $4 * interval '1 second', to_timestamp($5::float8 / 1000)
     from gateway.presentations p where p.id = $2 and p.user_id = $3 returning 1`,
    [hashOf(ticket), id, userId, ticketSeconds, tokenExpiresAt.getTime()],
  )
  return rows.length > 0 ? ticket : undefined
}

/**
 * Uses the ticket up and says whose it was; undefined for one that is unknown, used, too old, or of
 * another presentation.
 */
export async function redeemTicket(
  database: Pick<Database, 'query'>,
  { ticket, id }: { ticket: string; id: string },
): Promise<{ userId: string; expiresAt: Date } | undefined> {
  const rows = await database.query<{ userId: string; expiresAtMs: number }>(
    `delete from gateway.tickets where hash = $1 and presentation_id::text = lower($2) and expires_at > now() and token_expires_at > now()
     returning user_id as "userId", (extract(epoch from token_expires_at) * 1000)::float8 as "expiresAtMs"`,
    [hashOf(ticket), id],
  )
  const row = rows[0]
  return row && { userId: row.userId, expiresAt: new Date(row.expiresAtMs) }
}

/** Forgets what nobody can use any more. */
export async function forgetTickets(database: Pick<Database, 'query'>): Promise<void> {
  await database.query('delete from gateway.tickets where expires_at <= now()')
}

/** 32 random bytes need neither salt nor a slow hash. */
function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url')
}
