// Sessions of the maker. A session ends with the token that it came from. Its id is in a cookie of
// the maker's origin and nowhere else; the table holds hashes. Raw SQL: tokens may end in the year
// 275760, which Postgres takes as a number but not as a text.

import { createHash, randomBytes } from 'node:crypto'
import type { Queryable } from '../../database/connection.ts'

export interface MakerSession {
  /** The hash of its id: a name for it that opens nothing. */
  hash: string
  userId: string
  /** How the token calls the user. */
  userName: string | null
  createdAt: Date
  expiresAt: Date
}

export interface NewSession {
  userId: string
  userName: string | null
  expiresAt: Date
  /** The session of the same browser that this one replaces. */
  replaced?: string | undefined
}

/** Returns the id of the new session, and whose session it has replaced. */
export async function openSession(
  database: Queryable,
  { userId, userName, expiresAt, replaced }: NewSession,
): Promise<{ id: string; replacedUserId: string | undefined }> {
  const id = randomBytes(32).toString('base64url')
  const [row] = await database.query<{ replacedUserId: string | null }>(
    `with replaced as (
       delete from gateway.maker_sessions where hash = $5 returning user_id
     )
     insert into gateway.maker_sessions (hash, user_id, user_name, expires_at)
     values ($1, $2, $3, to_timestamp($4::float8 / 1000))
     returning (select user_id from replaced) as "replacedUserId"`,
    [hashOf(id), userId, userName, expiresAt.getTime(), replaced ?? null],
  )
  return { id, replacedUserId: row?.replacedUserId ?? undefined }
}

/** Undefined for a session that is unknown, ended or expired. */
export async function findSession(
  database: Queryable,
  id: string,
): Promise<MakerSession | undefined> {
  const [row] = await database.query<Omit<MakerSession, 'expiresAt'> & { expiresAtMs: number }>(
    `select hash, user_id as "userId", user_name as "userName", created_at as "createdAt",
       (extract(epoch from expires_at) * 1000)::float8 as "expiresAtMs"
     from gateway.maker_sessions where hash = $1 and expires_at > now()`,
    [hashOf(id)],
  )
  if (!row) return undefined
  const { expiresAtMs, ...session } = row
  return { ...session, expiresAt: new Date(expiresAtMs) }
}

/** How many milliseconds live sessions last, by their hashes. */
export async function findTimesLeft(
  database: Queryable,
  hashes: string[],
): Promise<Map<string, number>> {
  const rows = await database.query<{ hash: string; leftMs: number }>(
    `select hash, (extract(epoch from expires_at - now()) * 1000)::float8 as "leftMs"
     from gateway.maker_sessions where hash = any($1::text[]) and expires_at > now()`,
    [hashes],
  )
  return new Map(rows.map(({ hash, leftMs }) => [hash, leftMs]))
}

export async function endSession(database: Queryable, hash: string): Promise<void> {
  await database.query('delete from gateway.maker_sessions where hash = $1', [hash])
}

/** Ends all sessions of a user. */
export async function endSessions(database: Queryable, userId: string): Promise<void> {
  await database.query('delete from gateway.maker_sessions where user_id = $1', [userId])
}

/**
 * Moves the end of all live sessions of the user to the end of a newer token; an older one moves
 * none. Returns when the last of them ends, and how many there are.
 */
export async function renewSessions(
  database: Queryable,
  { userId, expiresAt }: { userId: string; expiresAt: Date },
): Promise<{ expiresAt: Date; sessions: number }> {
  const [row] = await database.query<{ sessions: number; expiresAtMs: number | null }>(
    `with moved as (
       update gateway.maker_sessions
       set expires_at = greatest(expires_at, to_timestamp($2::float8 / 1000))
       where user_id = $1 and expires_at > now() returning expires_at
     )
     select count(*)::int as sessions,
       (extract(epoch from max(expires_at)) * 1000)::float8 as "expiresAtMs" from moved`,
    [userId, expiresAt.getTime()],
  )
  const { sessions = 0, expiresAtMs = null } = row ?? {}
  return { sessions, expiresAt: expiresAtMs === null ? expiresAt : new Date(expiresAtMs) }
}

/** Deletes expired sessions. */
export async function pruneSessions(database: Queryable): Promise<void> {
  await database.query('delete from gateway.maker_sessions where expires_at <= now()')
}

/** 32 random bytes need neither salt nor a slow hash. */
export function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url')
}
