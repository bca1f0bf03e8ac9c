// Idempotency keys: the first answer to a key is kept in the transaction that did the work, so that the one exists exactly
// when the other does. Per user, for a day.
import { Problem } from '../domain/problem.ts'
import type { Database, Queryable } from './connection.ts'

/** An answer that can be given again, word for word. */
export interface Answer {
  status: number
  location: string
  body: unknown
}

export interface IdempotentRequest {
  userId: string
  key: string
  /** Hash of method, path and validated body: what must be the same for the key to mean the same. */
  fingerprint: string
}

const keptFor = '24 hours'
const waitSeconds = 5

/**
 * Takes the key for this transaction. Returns the kept answer when the request was answered before; undefined when it is
 * ours to answer (then `keepAnswer` must follow in the same transaction).
 * @throws Problem IDEMPOTENCY_KEY_REUSED for another request under the same key, CONFLICT (with Retry-After) when the first
 * one is still under way after five seconds.
 */
async function takeKey(client: Queryable, { userId, key, fingerprint }: IdempotentRequest): Promise<Answer | undefined> {
  await client.query(`set local lock_timeout = '${waitSeconds}s'`)
  try {
    // Waits here while another transaction holds the same key, and then sees what that one left.
    const { rows } = await client.query(
      `insert into gateway.idempotency_keys as k (user_id, key, fingerprint) values ($1, $2, $3)
       on conflict (user_id, key) do update set fingerprint = $3, answer = null, created_at = now()
         where k.created_at < now() - interval '${keptFor}' returning 1`,
      [userId, key, fingerprint],
    )
    if (rows.length > 0) return undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === '55P03') {
      throw new Problem('CONFLICT', {
        detail: 'The first request with this Idempotency-Key is still under way.',
        retryAfterSeconds: 1,
      })
    }
    throw error
  } finally {
    await client.query(`set local lock_timeout = 0`).catch(() => undefined)
  }
  const { rows } = await client.query<{ fingerprint: string; answer: Answer | null }>(
    'select fingerprint, answer from gateway.idempotency_keys where user_id = $1 and key = $2',
    [userId, key],
  )
  const kept = rows[0]
  if (!kept || kept.fingerprint !== fingerprint) throw new Problem('IDEMPOTENCY_KEY_REUSED')
  if (!kept.answer) throw new Problem('CONFLICT', { retryAfterSeconds: 1 })
  return kept.answer
}

/**
 * Does `work` and keeps its answer under the key, or gives the answer that an earlier request with this key got. Without a key, only
 * does the work. One transaction: a key without its work, or work without its key, cannot be.
 */
export function answerOnce(
  database: Pick<Database, 'transaction'>,
  request: IdempotentRequest | undefined,
  work: (client: Queryable) => Promise<Answer>,
): Promise<Answer & { replayed: boolean }> {
  return database.transaction(async (client) => {
    const kept = request && (await takeKey(client, request))
    if (kept) return { ...kept, replayed: true }
    const answer = await work(client)
    if (request) await keepAnswer(client, request, answer)
    return { ...answer, replayed: false }
  })
}

async function keepAnswer(client: Queryable, { userId, key }: IdempotentRequest, answer: Answer): Promise<void> {
  await client.query('update gateway.idempotency_keys set answer = $3 where user_id = $1 and key = $2', [
    userId,
    key,
    JSON.stringify(answer),
  ])
}

/** Forgets keys whose day is over. */
export async function forgetKeys(database: Pick<Database, 'query'>): Promise<void> {
  await database.query(`delete from gateway.idempotency_keys where created_at < now() - interval '${keptFor}'`)
}
