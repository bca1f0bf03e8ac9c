// Sends requests: with the token, again after failures that pass, and every failure as
// GatewayError.

import { GatewayError, networkError, readError, unexpectedResponse } from './errors.ts'
import { newIdempotencyKey } from './idempotency-key.ts'
import type { StreamedForm } from './streamed-form.ts'
import { backoffMs, jitterMs, type Timing } from './timing.ts'
import type { TokenSource } from './token.ts'
import type { CallOptions, CreatingOptions } from './types.ts'
import { fetchWithProgress } from './upload-progress.ts'

export interface RequestsOptions {
  /** The origin, and a prefix if there is one, before `/api/v1`. */
  baseUrl: string
  tokens: TokenSource
  credentials: 'include' | 'omit' | 'same-origin' | undefined
  fetch: typeof fetch
  timeoutMs: number
  timing: Timing
}

export interface Call extends CallOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`. Ids in it are encoded. */
  path: string
  /** Beside `/api/v1`, not below it. */
  isAtRoot?: boolean
  query?: Record<string, string | number | undefined>
  headers?: Record<string, string>
  json?: unknown
  /** Instead of `json`. A streamed one can be sent only once. */
  form?: FormData | StreamedForm
  /** For one attempt, in place of the client's own. */
  timeoutMs?: number
  /** Of the body, from 0 to 1, where there is an XMLHttpRequest: fetch cannot tell. */
  onProgress?: ((sent: number) => void) | undefined
}

/** A response, and the token it was given for. */
export interface Opened {
  response: Response
  token: string | undefined
}

export type Requests = ReturnType<typeof createRequests>

const maxRepeats = 5
const maxRetryAfterMs = 60_000

export function createRequests(options: RequestsOptions) {
  const { tokens, credentials, timing } = options
  const base = options.baseUrl.replace(/\/+$/, '')

  function urlOf({ path, query = {}, isAtRoot = false }: Call): string {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, String(value))
    }
    const text = search.toString()
    return `${base}${isAtRoot ? '' : '/api/v1'}${path}${text === '' ? '' : `?${text}`}`
  }

  /** One attempt. Resolves with a response of any status; rejects with NETWORK_ERROR. */
  async function open(call: Call): Promise<Opened> {
    const { method = 'GET', headers, json, form, signal } = call
    const streamed = streamedFormOf(call)
    const token = await tokens.read(signal).catch((error: unknown) => {
      throw signal?.aborted ? failureOf(error, signal) : error
    })
    try {
      const send = fetchWithProgress(call.onProgress) ?? options.fetch
      const response = await send(urlOf(call), {
        method,
        headers: {
          accept: 'application/json',
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...(streamed && { 'content-type': streamed.contentType }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(json !== undefined && { body: JSON.stringify(json) }),
        ...(form instanceof FormData && { body: form }),
        ...(streamed && { body: streamed.body, duplex: 'half' }),
        ...(credentials !== undefined && { credentials }),
        ...(signal && { signal }),
      })
      return { response, token }
    } catch (error) {
      const unreadable = streamed?.failure()
      throw unreadable ? unreadable.reason : failureOf(error, signal)
    }
  }

  /** As `open`, with another token if the first one is refused. */
  async function openWithRenewal(call: Call): Promise<Opened> {
    const opened = await open(call)
    if (opened.response.status !== 401 || streamedFormOf(call)) return opened
    if (!tokens.renew(opened.token)) return opened
    await opened.response.body?.cancel()
    return open(call)
  }

  async function attempt<T>(call: Call): Promise<T> {
    const { response } = await openWithRenewal(call)
    if (!response.ok) throw await readError(response)
    if (response.status === 204) return undefined as T
    const text = await response.text().catch((error: unknown) => {
      throw failureOf(error, call.signal)
    })
    try {
      return JSON.parse(text) as T
    } catch {
      throw unexpectedResponse(response.status)
    }
  }

  /** The wait before the call is sent again; undefined when that cannot help. */
  function waitMsAfter(error: unknown, repeats: number): number | undefined {
    if (!(error instanceof GatewayError) || repeats >= maxRepeats) return undefined
    const { code, status, retryAfterMs } = error
    if (code === 'NETWORK_ERROR') return backoffMs(repeats, timing)
    const passes = (status === 429 || status === 503) && retryAfterMs !== undefined
    return passes && retryAfterMs <= maxRetryAfterMs ? jitterMs(retryAfterMs, timing) : undefined
  }

  /**
   * The parsed body of a 2xx response, undefined for 204. `onRepeat` decides about an error of a
   * call whose earlier attempt may have been carried out.
   */
  async function send<T>(call: Call, onRepeat?: (error: GatewayError) => Promise<T>): Promise<T> {
    let mayBeDone = false
    for (let repeats = 0; ; repeats += 1) {
      try {
        return await attempt<T>(withTimeout(call, options.timeoutMs))
      } catch (error) {
        call.signal?.throwIfAborted()
        if (streamedFormOf(call)) throw error
        const waitMs = waitMsAfter(error, repeats)
        if (waitMs === undefined) {
          if (mayBeDone && onRepeat && error instanceof GatewayError) return onRepeat(error)
          throw error
        }
        mayBeDone ||= error instanceof GatewayError && error.status === 0
        await timing.sleep(waitMs, call.signal)
      }
    }
  }

  return {
    openWithRenewal,
    urlOf,
    send,

    /** POSTs what must not be made twice, with the caller's key or one of its own. */
    create<T>(
      { headers, ...call }: Omit<Call, 'method' | 'signal'>,
      { idempotencyKey = newIdempotencyKey(), signal }: CreatingOptions,
    ): Promise<T> {
      const keyed = { ...headers, 'idempotency-key': idempotencyKey }
      return send<T>({ method: 'POST', headers: keyed, ...call, signal })
    },

    /** Deletes; what an earlier attempt of the call has deleted counts as deleted. */
    remove(path: string, { signal }: CallOptions): Promise<void> {
      return send<void>({ method: 'DELETE', path, signal }, async (error) => {
        if (error.code !== 'NOT_FOUND') throw error
      })
    },
  }
}

const streamedFormOf = ({ form }: Call): StreamedForm | undefined =>
  form === undefined || form instanceof FormData ? undefined : form

function withTimeout(call: Call, usualMs: number): Call {
  const timeout = AbortSignal.timeout(call.timeoutMs ?? usualMs)
  return { ...call, signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout }
}

/** The caller's own reason after an abort, else NETWORK_ERROR: also after a timeout of ours. */
function failureOf(error: unknown, signal: AbortSignal | undefined): unknown {
  const isTimeout = error instanceof DOMException && error.name === 'TimeoutError'
  return signal?.aborted && !isTimeout ? signal.reason : networkError(error)
}
