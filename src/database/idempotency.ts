// Idempotency keys: the first response to a key is stored in the transaction that did the work, so
// that both exist or neither. A key belongs to one user and lives for a day.
import { Problem } from '../domain/problem.ts'
import type { Database, Queryable } from './connection.ts'
import {
  boundKeyWait,
  findKeys,
  type IdempotentRequest,
  insertKeys,
  keyId,
  releaseKeys,
  type StoredKey,
  storeResponses,
} from './idempotency-keys.ts'
import type { StoredResponse } from './schema/users.ts'

export type IdempotentResponse = StoredResponse & { replayed: boolean }

/** The outcome of one request. A refusal (Problem) is not stored under its key. */
export type IdempotentOutcome = IdempotentResponse | Problem

/** CONFLICT with Retry-After: the first request with the key is still processed. */
export const firstRequestPending = () =>
  new Problem('CONFLICT', {
    cause: new Error('The first request with this Idempotency-Key is still being processed.'),
    retryAfterSeconds: 1,
  })

export interface IdempotentBatch<Request> {
  database: Pick<Database, 'transaction'>
  requests: readonly Request[]
  /** Undefined for a request without a key: its work is always done. */
  keyOf: (request: Request) => IdempotentRequest | undefined
  /** SQL that runs before the work: with the BEGIN, at no extra round trip, if no key is taken. */
  before?: string
  /** Does the work of these requests and returns what becomes of each, in their order. */
  work: (client: Queryable, requests: Request[]) => Promise<(StoredResponse | Problem)[]>
}

/** A request with its key, and its outcome once that is known. */
interface Entry<Request> {
  request: Request
  key: IdempotentRequest | undefined
  outcome?: IdempotentOutcome
}

/**
 * Responds to each request, all in one transaction: with the stored response of its key, or by
 * doing its work. Of several requests with one key, only the first is worked on.
 *
 * @throws Problem CONFLICT when another transaction holds one of the keys for over five seconds;
 * any error of `work`, after a rollback
 */
export async function respondToEach<Request>({
  database,
  requests,
  keyOf,
  before = '',
  work,
}: IdempotentBatch<Request>): Promise<IdempotentOutcome[]> {
  const entries = requests.map((request): Entry<Request> => ({ request, key: keyOf(request) }))
  const firsts = new Map<string, Entry<Request>>()
  for (const entry of entries) {
    if (entry.key && !firsts.has(keyId(entry.key))) firsts.set(keyId(entry.key), entry)
  }
  const firstOf = (entry: Entry<Request>) => (entry.key && firsts.get(keyId(entry.key))) ?? entry

  const hasKeys = firsts.size > 0
  async function workAfterKeys(client: Queryable, fresh: Request[]) {
    // The locks of keys come first: what waits for one must not hold what others need.
    if (hasKeys && before) await client.query(before)
    return work(client, fresh)
  }
  await database.transaction(
    (client) =>
      respondToFirsts(
        client,
        entries.filter((entry) => firstOf(entry) === entry),
        workAfterKeys,
      ),
    hasKeys ? boundKeyWait : before,
  )
  return entries.map((entry) => {
    const first = firstOf(entry)
    if (!first.outcome) throw new Error('A request got no response.')
    return first === entry ? first.outcome : outcomeOfRepeat(entry.key, first.key, first.outcome)
  })
}

/** Sets the outcome of each entry. No two have the same key. */
async function respondToFirsts<Request>(
  client: Queryable,
  entries: Entry<Request>[],
  work: IdempotentBatch<Request>['work'],
): Promise<void> {
  const keys = entries.flatMap(({ key }) => key ?? [])
  if (keys.length > 0) {
    const stored = await takeKeys(client, keys)
    for (const entry of entries) {
      const outcome = entry.key && stored.get(entry.key)
      if (outcome) entry.outcome = outcome
    }
  }
  const fresh = entries.filter(({ outcome }) => !outcome)
  if (fresh.length === 0) return

  const results = await work(
    client,
    fresh.map(({ request }) => request),
  )
  const responses = new Map<IdempotentRequest, StoredResponse>()
  const refused: IdempotentRequest[] = []
  for (const [index, entry] of fresh.entries()) {
    const result = results[index]
    if (!result) throw new Error('The work of a request gave no result.')
    entry.outcome = result instanceof Problem ? result : { ...result, replayed: false }
    if (!entry.key) continue
    if (result instanceof Problem) refused.push(entry.key)
    else responses.set(entry.key, result)
  }
  if (responses.size > 0) await storeResponses(client, responses)
  if (refused.length > 0) await releaseKeys(client, refused)
}

/**
 * Takes the keys for this transaction. Returns the outcome of those that another transaction took
 * before.
 */
async function takeKeys(
  client: Queryable,
  keys: IdempotentRequest[],
): Promise<Map<IdempotentRequest, IdempotentOutcome>> {
  const taken = await insertKeys(client, keys).catch((error: unknown) => {
    throw isLockTimeout(error) ? firstRequestPending() : error
  })
  const others = keys.filter((key) => !taken.has(keyId(key)))
  if (others.length === 0) return new Map()
  const stored = await findKeys(client, others)
  return new Map(others.map((key) => [key, storedOutcome(key, stored.get(keyId(key)))]))
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03'
}

function storedOutcome(key: IdempotentRequest, stored: StoredKey | undefined): IdempotentOutcome {
  if (stored?.fingerprint !== key.fingerprint) return new Problem('IDEMPOTENCY_KEY_REUSED')
  return stored.response ? { ...stored.response, replayed: true } : firstRequestPending()
}

/** The outcome of a request whose key an earlier request of the same batch has. */
function outcomeOfRepeat(
  key: IdempotentRequest | undefined,
  firstKey: IdempotentRequest | undefined,
  first: IdempotentOutcome,
): IdempotentOutcome {
  const isSame = key?.fingerprint === firstKey?.fingerprint
  // A refusal releases the key, so a different request under it may be sent again.
  if (first instanceof Problem) return isSame ? first : firstRequestPending()
  return isSame ? { ...first, replayed: true } : new Problem('IDEMPOTENCY_KEY_REUSED')
}

/**
 * Responds to one request: does the work and stores its response under the key, or returns the
 * response that is stored there. Without a key it only does the work.
 *
 * @throws Problem IDEMPOTENCY_KEY_REUSED, CONFLICT; any error of `work`, after a rollback
 */
export async function respondOnce(
  database: Pick<Database, 'transaction'>,
  key: IdempotentRequest | undefined,
  work: (client: Queryable) => Promise<StoredResponse>,
): Promise<IdempotentResponse> {
  const [outcome] = await respondToEach({
    database,
    requests: [key],
    keyOf: (request) => request,
    work: async (client) => [await work(client)],
  })
  if (!outcome || outcome instanceof Problem)
    throw outcome ?? new Error('A request got no response.')
  return outcome
}
