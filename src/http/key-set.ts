// The keys of a remote issuer (JWKS), fetched when needed and kept. Written here and not taken from
// jose, because jose forgets good keys when they grow old during an outage, and limits refetches
// only after successful ones.

import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { Problem } from '../domain/problem.ts'

const fetchTimeoutMs = 5_000
const maxBytes = 1024 * 1024
/**
 * After this the set is fetched again, so that keys that were withdrawn stop working. Until that
 * succeeds the old ones stay.
 */
const freshMs = 10 * 60_000
/**
 * Unknown key ids cause at most one fetch in this time: else anyone could make us flood the issuer.
 */
const refetchMs = 30_000
/** While there are no keys at all, the issuer is asked this often at most. */
const firstFetchMs = 1_000

/** Who could be let in with the keys we have waits no longer than this for newer ones. */
const renewalMs = 500

export interface KeySetOptions {
  url: string
  now: () => number
  fetch?: typeof fetch
}

/**
 * A key finder for jose. Throws AUTHENTICATION_UNAVAILABLE when the key is not known and the issuer
 * cannot be asked.
 */
export function createRemoteKeySet({
  url,
  now,
  fetch: fetchKeys = fetch,
}: KeySetOptions): JWTVerifyGetKey {
  let keys: ReturnType<typeof createLocalJWKSet> | undefined
  let fetchedAt = Number.NEGATIVE_INFINITY
  let failedAt = Number.NEGATIVE_INFINITY
  let refetchedAt = Number.NEGATIVE_INFINITY
  let failure: unknown
  let pending: Promise<void> | undefined
  /** Ends with `pending`, or earlier when that takes its time. */
  let renewal: Promise<void> = Promise.resolve()

  /**
   * One fetch at a time, shared by all who wait for it. Never rejects: what came of it stands in
   * `failure`.
   */
  function load(): Promise<void> {
    pending ??= readKeys()
      .then((set) => {
        keys = createLocalJWKSet(set)
        fetchedAt = now()
        failure = undefined
      })
      .catch((error: unknown) => {
        failedAt = now()
        failure = error ?? new Error('unknown')
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  function renew(): Promise<void> {
    if (!pending)
      renewal = Promise.race([
        load(),
        new Promise<void>((resolve) => void setTimeout(resolve, renewalMs).unref()),
      ])
    return renewal
  }

  async function readKeys() {
    const response = await fetchKeys(url, {
      redirect: 'error',
      headers: { accept: 'application/json, application/jwk-set+json' },
      signal: AbortSignal.timeout(fetchTimeoutMs),
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Error(`The key set was answered with status ${response.status}.`)
    }
    return JSON.parse(await readText(response))
  }

  function unavailable(waitMs: number) {
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
    return new Problem('AUTHENTICATION_UNAVAILABLE', { cause: failure, retryAfterSeconds })
  }

  async function currentKeys() {
    const isDue = keys
      ? now() - fetchedAt >= freshMs && now() - failedAt >= refetchMs
      : now() - failedAt >= firstFetchMs
    if (isDue && keys) await renew()
    else if (isDue || (!keys && pending)) await load()
    if (!keys) throw unavailable(5_000)
    return keys
  }

  return async (header, token) => {
    const known = await currentKeys()
    try {
      return await known(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    }
    if (now() - refetchedAt >= refetchMs) {
      refetchedAt = now()
      await load()
    } else if (pending) {
      await pending
    }
    if (failure) throw unavailable(refetchedAt + refetchMs - now())
    return (keys ?? known)(header, token)
  }
}

/** The body as text, given up beyond `maxBytes`. */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > maxBytes) throw new Error('The key set is too large.')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
