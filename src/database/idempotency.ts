// Idempotency keys: the first answer to a key is kept in the transaction that did the work, so that
// the one exists exactly when the other does. Per user, for a day.
import { Problem } from '../domain/problem.ts'
import type { Database, Queryable } from './connection.ts'

/** An answer that can be given again, word for word. */
export interface StoredResponse {
  status: number
  location: string
  body: unknown
}

export interface IdempotentRequest {
  userId: string
  key: string
  /**
   * Hash of method, path and validated body: what must be the same for the key to mean the same.
   */
  fingerprint: string
}

const keptFor = '24 hours'
/** How long a repeated request waits for the first. */
export const waitSeconds = 5

/** What one request gets: an answer, kept or new, or a refusal that is not kept. */
export type IdempotentOutcome = (StoredResponse & { replayed: boolean }) | Problem

/** CONFLICT (with Retry-After): the first one is still under way. */
export const firstRequestPending = () =>
  new Problem('CONFLICT', {
    cause: new Error('The first request with this Idempotency-Key is still under way.'),
    retryAfterSeconds: 1,
  })

/**
 * Takes the keys for this transaction. For each: the kept answer when the request was answered
 * before, IDEMPOTENCY_KEY_REUSED for another request under the same key, undefined when it is ours
 * to answer.
 * @throws Problem CONFLICT when a first one is still under way after five seconds.
 */
async function takeKeys(
  client: Queryable,
  requests: IdempotentRequest[],
): Promise<(IdempotentOutcome | undefined)[]> {
  await client.query(`set local lock_timeout = '${waitSeconds}s'`)
  const columns = [requests.map(({ userId }) => userId), requests.map(({ key }) => key)]
  const taken = new Set<string>()
  try {
    // Waits here while another transaction holds the same key, and then sees what that one left. In
    // one order, so that two who take several don't wait for each other.
    const rows = await client.query<{ userId: string; key: string }>(
      `insert into gateway.idempotency_keys as k (user_id, key, fingerprint)
       select * from unnest($1::text[], $2::text[], $3::text[]) given(user_id, key, fingerprint) order by 1, 2
       on conflict (user_id, key) do update set fingerprint = excluded.fingerprint, answer = null, created_at = now()
         where k.created_at < now() - interval '${keptFor}' returning user_id as "userId", key`,
      [...columns, requests.map(({ fingerprint }) => fingerprint)],
    )
    for (const row of rows) taken.add(keyId(row))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === '55P03')
      throw firstRequestPending()
    throw error
  }
  await client.query('set local lock_timeout = 0')
  if (taken.size === requests.length) return requests.map(() => undefined)
  const rows = await client.query<{
    userId: string
    key: string
    fingerprint: string
    answer: StoredResponse | null
  }>(
    `select k.user_id as "userId", k.key, k.fingerprint, k.answer from gateway.idempotency_keys k
     join unnest($1::text[], $2::text[]) given(user_id, key) using (user_id, key)`,
    columns,
  )
  const found = new Map(rows.map((row) => [keyId(row), row]))
  return requests.map((request) => {
    if (taken.has(keyId(request))) return undefined
    const kept = found.get(keyId(request))
    if (!kept || kept.fingerprint !== request.fingerprint)
      return new Problem('IDEMPOTENCY_KEY_REUSED')
    return kept.answer ? { ...kept.answer, replayed: true } : firstRequestPending()
  })
}

/** What two requests with the same key have in common, and no others. */
export const keyId = ({ userId, key }: Pick<IdempotentRequest, 'userId' | 'key'>) =>
  `${key} ${userId}`

/**
 * Does `work` for those requests whose key (or having none) says that they are not answered yet,
 * and keeps its answers under the keys. One transaction, the caller's: a key without its work, or
 * work without its key, cannot be. Of several with one key, the first is asked for all. `work` gets
 * the places of the new ones and gives their answers in that order, or what they are refused with.
 */
export async function respondToEach(
  client: Queryable,
  requests: (IdempotentRequest | undefined)[],
  work: (places: number[]) => Promise<(StoredResponse | Problem)[]>,
): Promise<IdempotentOutcome[]> {
  const firsts = new Map<string, number>()
  const places: number[] = []
  for (const [place, request] of requests.entries()) {
    if (request && firsts.has(keyId(request))) continue
    if (request) firsts.set(keyId(request), places.length)
    places.push(place)
  }
  const distinct = places.map((place) => requests[place])
  const given = await respondToDistinct(client, distinct, (wanted) =>
    work(wanted.map((index) => places[index] ?? -1)),
  )
  return requests.map((request, place) => {
    const index = (request && firsts.get(keyId(request))) ?? places.indexOf(place)
    const first = given[index]
    if (!first) throw new Error('A request got no answer.')
    if (!request || places[index] === place) return first
    const isSame = request.fingerprint === distinct[index]?.fingerprint
    if (first instanceof Problem) return isSame ? first : firstRequestPending()
    return isSame ? { ...first, replayed: true } : new Problem('IDEMPOTENCY_KEY_REUSED')
  })
}

/** No two have the same key. */
async function respondToDistinct(
  client: Queryable,
  requests: (IdempotentRequest | undefined)[],
  work: (places: number[]) => Promise<(StoredResponse | Problem)[]>,
): Promise<IdempotentOutcome[]> {
  const keyed = requests.filter((request) => request !== undefined)
  const kept = keyed.length > 0 ? await takeKeys(client, keyed) : []
  const given = requests.map((request) => request && kept[keyed.indexOf(request)])
  const places = given.flatMap((one, place) => (one ? [] : [place]))
  if (places.length === 0) return given.filter((one) => one !== undefined)
  const answers = await work(places)
  const answered: { request: IdempotentRequest; answer: StoredResponse }[] = []
  const refused: IdempotentRequest[] = []
  for (const [index, place] of places.entries()) {
    const answer = answers[index]
    const request = requests[place]
    if (!answer) throw new Error('A request got no answer.')
    given[place] = answer instanceof Problem ? answer : { ...answer, replayed: false }
    if (request && answer instanceof Problem) refused.push(request)
    else if (request && !(answer instanceof Problem)) answered.push({ request, answer })
  }
  if (answered.length > 0) await storeResponses(client, answered)
  if (refused.length > 0) await releaseKeys(client, refused)
  return given.filter((one) => one !== undefined)
}

/**
 * The same for one request, in a transaction of its own: does `work` and keeps its answer under the
 * key, or gives the answer that an earlier request with this key got. Without a key, only does the
 * work. What `work` throws undoes everything.
 */
export async function respondOnce(
  database: Pick<Database, 'transaction'>,
  request: IdempotentRequest | undefined,
  work: (client: Queryable) => Promise<StoredResponse>,
): Promise<StoredResponse & { replayed: boolean }> {
  const [given] = await database.transaction((client) =>
    respondToEach(client, [request], async () => [await work(client)]),
  )
  if (!given || given instanceof Problem) throw given ?? new Error('A request got no answer.')
  return given
}

async function storeResponses(
  client: Queryable,
  answered: { request: IdempotentRequest; answer: StoredResponse }[],
): Promise<void> {
  await client.query(
    `update gateway.idempotency_keys k set answer = given.answer
     from unnest($1::text[], $2::text[], $3::json[]) given(user_id, key, answer) where k.user_id = given.user_id and k.key = given.key`,
    [
      answered.map(({ request }) => request.userId),
      answered.map(({ request }) => request.key),
      answered.map(({ answer }) => JSON.stringify(answer)),
    ],
  )
}

/** Only answers are kept, and who was refused may come again with the same key. */
async function releaseKeys(client: Queryable, refused: IdempotentRequest[]): Promise<void> {
  await client.query(
    `delete from gateway.idempotency_keys k using unnest($1::text[], $2::text[]) given(user_id, key)
     where k.user_id = given.user_id and k.key = given.key`,
    [refused.map(({ userId }) => userId), refused.map(({ key }) => key)],
  )
}

/** Forgets keys whose day is over. */
export async function forgetKeys(database: Pick<Database, 'query'>): Promise<void> {
  await database.query(
    `delete from gateway.idempotency_keys where created_at < now() - interval '${keptFor}'`,
  )
}
