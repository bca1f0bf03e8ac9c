// The rows of idempotency keys. Raw SQL: each statement serves a batch of keys, unnested, and the
// insert has to wait for a transaction that holds the same key.
import { lt, sql } from 'drizzle-orm'
import type { Queryable } from './connection.ts'
import { idempotencyKeys, type StoredResponse } from './schema/users.ts'
import { build, statement } from './statement.ts'

export interface IdempotentRequest {
  userId: string
  key: string
  /** Hash of method, path and validated body: a key may be repeated with the same request only. */
  fingerprint: string
}

/** How long a repeated request waits for the first. */
export const keyWaitSeconds = 5

const keyLifetime = '24 hours'

/** Equal for two requests of one user with one key. */
export const keyId = ({ userId, key }: Pick<IdempotentRequest, 'userId' | 'key'>) =>
  `${key} ${userId}`

/** Bounds the waits of a transaction for locks, until `insertKeys` removes the bound. */
export const boundKeyWait = `set local lock_timeout = '${keyWaitSeconds}s'`

/**
 * Inserts keys that are new or expired and returns their ids. Waits for a transaction that holds
 * one of them. Removes the bound of `boundKeyWait`: later locks may take longer.
 *
 * @throws a Postgres error of code 55P03 when another transaction holds a key for too long
 */
export async function insertKeys(
  client: Queryable,
  requests: readonly IdempotentRequest[],
): Promise<Set<string>> {
  // Always in the same order, so that two batches cannot wait for each other. The aggregate reads
  // all inserted rows before set_config is evaluated.
  const rows = await client.query<{ inserted: { userId: string; key: string }[] }>(
    `with inserted as (
       insert into gateway.idempotency_keys as k (user_id, key, fingerprint)
       select * from unnest($1::text[], $2::text[], $3::text[]) given(user_id, key, fingerprint)
       order by 1, 2
       on conflict (user_id, key) do update
         set fingerprint = excluded.fingerprint, answer = null, created_at = now()
         where k.created_at < now() - interval '${keyLifetime}'
       returning user_id, key
     )
     select set_config('lock_timeout', '0', true),
       coalesce(json_agg(json_build_object('userId', user_id, 'key', key)), '[]') as inserted
     from inserted`,
    [...idColumns(requests), requests.map(({ fingerprint }) => fingerprint)],
  )
  return new Set(rows[0]?.inserted.map(keyId))
}

export interface StoredKey extends IdempotentRequest {
  /** Null while the first request is processed. */
  response: StoredResponse | null
}

/** The stored keys of these requests, by id. */
export async function findKeys(
  client: Queryable,
  requests: readonly IdempotentRequest[],
): Promise<Map<string, StoredKey>> {
  const rows = await client.query<StoredKey>(
    `select k.user_id as "userId", k.key, k.fingerprint, k.answer as response
     from gateway.idempotency_keys k
     join unnest($1::text[], $2::text[]) given(user_id, key) using (user_id, key)`,
    idColumns(requests),
  )
  return new Map(rows.map((row) => [keyId(row), row]))
}

export async function storeResponses(
  client: Queryable,
  responses: ReadonlyMap<IdempotentRequest, StoredResponse>,
): Promise<void> {
  await client.query(
    `update gateway.idempotency_keys k set answer = given.response
     from unnest($1::text[], $2::text[], $3::json[]) given(user_id, key, response)
     where k.user_id = given.user_id and k.key = given.key`,
    [
      ...idColumns([...responses.keys()]),
      [...responses.values()].map((response) => JSON.stringify(response)),
    ],
  )
}

/** Deletes the keys of refused requests, so that they can be sent again. */
export async function releaseKeys(
  client: Queryable,
  requests: readonly IdempotentRequest[],
): Promise<void> {
  await client.query(
    `delete from gateway.idempotency_keys k
     using unnest($1::text[], $2::text[]) given(user_id, key)
     where k.user_id = given.user_id and k.key = given.key`,
    idColumns(requests),
  )
}

const deleteExpired = statement(() =>
  build
    .delete(idempotencyKeys)
    .where(lt(idempotencyKeys.createdAt, sql.raw(`now() - interval '${keyLifetime}'`))),
)

/** Deletes expired keys. */
export async function pruneKeys(database: Queryable): Promise<void> {
  await deleteExpired(database)
}

const idColumns = (requests: readonly IdempotentRequest[]) => [
  requests.map(({ userId }) => userId),
  requests.map(({ key }) => key),
]
