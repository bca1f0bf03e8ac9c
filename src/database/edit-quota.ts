// The quota of edits: each is counted when it is accepted, under the lock of admissions, and given
// back by the end of its run if upstream was never asked.

import { randomUUID } from 'node:crypto'
import { Problem } from '../domain/problem.ts'
import type { Queryable } from './connection.ts'

export interface UsedEdits {
  count: number
  /** When the oldest use leaves the window. */
  resetsAt: Date | null
}

const inWindow = `used_at > now() - interval '1 day'`

export async function countEdits(database: Queryable, userId: string): Promise<UsedEdits> {
  const [row] = await database.query<UsedEdits>(
    `select count(*) as count, min(used_at) + interval '1 day' as "resetsAt"
     from gateway.edit_uses where user_id = $1 and ${inWindow}`,
    [userId],
  )
  return row ?? { count: 0, resetsAt: null }
}

/**
 * Takes one edit of the user's quota (0: unlimited) and returns its id. The caller holds the
 * admission lock.
 *
 * @throws Problem QUOTA_EXCEEDED with the Retry-After after which the window has capacity
 */
export async function takeEdit(client: Queryable, userId: string, perDay: number): Promise<string> {
  if (perDay > 0) {
    const [full] = await client.query<{ seconds: number }>(
      `select extract(epoch from used_at + interval '1 day' - now())::float8 as seconds
       from gateway.edit_uses where user_id = $1 and ${inWindow}
       order by used_at desc offset $2 limit 1`,
      [userId, perDay - 1],
    )
    if (full) {
      const retryAfterSeconds = Math.max(1, Math.ceil(full.seconds))
      throw new Problem('QUOTA_EXCEEDED', { retryAfterSeconds })
    }
  }
  const id = randomUUID()
  await client.query('insert into gateway.edit_uses (id, user_id) values ($1, $2)', [id, userId])
  return id
}

/** Gives back an edit that was taken and not used. */
export async function returnEdit(database: Queryable, id: string): Promise<void> {
  await database.query('delete from gateway.edit_uses where id = $1', [id])
}

/** Deletes uses that no window counts any more. */
export async function pruneEdits(database: Queryable): Promise<void> {
  await database.query(
    `delete from gateway.edit_uses where used_at < now() - interval '2 days'`,
    [],
  )
}
