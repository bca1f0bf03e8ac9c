// Limits per user that hold over all replicas: each use is a row, counted under a lock of its user.

import { randomUUID } from 'node:crypto'
import { Problem } from '../domain/problem.ts'
import { advisoryLocks } from './advisory-locks.ts'
import type { Database, Queryable } from './connection.ts'

export interface UseLimit {
  kind: 'image-upload' | 'image-search'
  limit: number
  windowSeconds: number
  code: 'QUOTA_EXCEEDED' | 'RATE_LIMIT_EXCEEDED'
}

const lockUser = `select pg_advisory_xact_lock(${advisoryLocks.makerUses}, hashtext($1))`

/**
 * Takes one use, and returns its id.
 *
 * @throws Problem of the limit, with the Retry-After after which the window has capacity
 */
export function takeUse(
  database: Pick<Database, 'transaction'>,
  userId: string,
  { kind, limit, windowSeconds, code }: UseLimit,
): Promise<string> {
  return database.transaction(async (client) => {
    await client.query(lockUser, [userId])
    const [full] = await client.query<{ seconds: number }>(
      `select extract(epoch from used_at + $4 * interval '1 second' - clock_timestamp())::float8
         as seconds
       from gateway.maker_uses
       where user_id = $1 and kind = $2
         and used_at > clock_timestamp() - $4 * interval '1 second'
       order by used_at desc offset $3 limit 1`,
      [userId, kind, limit - 1, windowSeconds],
    )
    if (full) throw new Problem(code, { retryAfterSeconds: Math.max(1, Math.ceil(full.seconds)) })
    const id = randomUUID()
    await client.query(
      `insert into gateway.maker_uses (id, user_id, kind, used_at)
       values ($1, $2, $3, clock_timestamp())`,
      [id, userId, kind],
    )
    return id
  })
}

export async function giveUseBack(database: Queryable, id: string): Promise<void> {
  await database.query('delete from gateway.maker_uses where id = $1', [id])
}

/** Deletes uses that no window counts any more. */
export async function pruneUses(database: Queryable): Promise<void> {
  await database.query(`delete from gateway.maker_uses where used_at < now() - interval '2 days'`)
}
