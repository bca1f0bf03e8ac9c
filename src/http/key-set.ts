// The keys of a remote issuer (JWKS). jose fetches, parses and holds them, and shares one fetch
// among all who wait. The schedule is ours: jose's would drop valid keys when the issuer is down
// for ten minutes, and would not limit refetches that fail.

import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose'
import { Problem } from '../domain/problem.ts'
import { KeySetError } from './key-set-troubles.ts'
import type { OutboundGet } from './outbound.ts'

const fetchTimeoutMs = 5_000
const maxBytes = 1024 * 1024
/** After this time the keys are fetched again, so that withdrawn keys stop working. */
const refreshMs = 10 * 60_000
/** With cached keys, wait at most this long for a refresh. */
const refreshWaitMs = 500
/** Least time between fetches after a failed refresh, and for unknown key ids. */
const refetchMs = 30_000
/** Least time between fetches while there are no keys. */
const firstFetchMs = 1_000

export interface KeySetOptions {
  url: string
  now: () => number
  get: OutboundGet
  /** Called after each fetch. */
  onLoaded?: ((keys: JSONWebKeySet) => void) | undefined
  onFailed?: ((error: unknown) => void) | undefined
}

/**
 * Returns a key finder for jose. During an outage the last fetched keys stay valid.
 * @throws Problem AUTHENTICATION_UNAVAILABLE when the key is not cached and the fetch failed
 */
export function createRemoteKeySet({
  url,
  now,
  get,
  onLoaded,
  onFailed,
}: KeySetOptions): JWTVerifyGetKey {
  const keySet = createRemoteJWKSet(new URL(url), {
    [customFetch]: (target, { headers, signal }) => fetchKeySet(get, target, headers, signal),
    timeoutDuration: fetchTimeoutMs,
    // jose then fetches only when `reload` is called.
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: Number.POSITIVE_INFINITY,
  })
  let loadedAt = Number.NEGATIVE_INFINITY
  let failedAt = Number.NEGATIVE_INFINITY
  let refetchedAt = Number.NEGATIVE_INFINITY
  let failure: unknown
  let refresh: Promise<void> = Promise.resolve()

  /** Starts or joins a fetch. Never rejects: the error is in `failure`. */
  async function load(): Promise<void> {
    try {
      await keySet.reload()
      loadedAt = now()
      failure = undefined
      const set = keySet.jwks()
      if (set) onLoaded?.(set)
    } catch (error) {
      failedAt = now()
      failure = error
      onFailed?.(error)
    }
  }

  async function loadFirst(): Promise<void> {
    if (keySet.reloading || now() - failedAt >= firstFetchMs) await load()
    if (!keySet.jwks()) throw unavailable(5_000)
  }

  function refreshIfDue(): Promise<void> {
    const isDue = now() - loadedAt >= refreshMs && now() - failedAt >= refetchMs
    if (isDue && !keySet.reloading) refresh = Promise.race([load(), timeout(refreshWaitMs)])
    return isDue ? refresh : Promise.resolve()
  }

  function unavailable(retryAfterMs: number) {
    const retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1000))
    return new Problem('AUTHENTICATION_UNAVAILABLE', { cause: failure, retryAfterSeconds })
  }

  return async (header, token) => {
    await (keySet.jwks() ? refreshIfDue() : loadFirst())
    try {
      return await keySet(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    }
    // The issuer may have added the key since the last fetch.
    const mayRefetch = now() - refetchedAt >= refetchMs
    if (mayRefetch) refetchedAt = now()
    if (mayRefetch || keySet.reloading) await load()
    if (failure) throw unavailable(refetchedAt + refetchMs - now())
    return keySet(header, token)
  }
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref())
}

/** Fetches for jose, which has no limit of bytes and does not tell why it refuses a response. */
async function fetchKeySet(
  get: OutboundGet,
  url: string,
  headers: Headers,
  signal: AbortSignal,
): Promise<Response> {
  const { status, body } = await get({
    url,
    headers: Object.fromEntries(headers),
    maxBytes,
    signal,
  })
  if (status !== 200) throw KeySetError.ofStatus(status)
  const problem = KeySetError.ofBody(body.toString())
  if (problem) throw problem
  return new Response(new Uint8Array(body))
}
