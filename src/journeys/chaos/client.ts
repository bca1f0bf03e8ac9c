// An API client that retries at any replica until it has a final response, as every client of a
// service should that may restart at any moment.

import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.ts'

export interface ClientResponse {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: any kind of response
  body: any
  /** How many attempts before it had no response, or an error: what they did is unknown. */
  lost: number
}

export interface ClientRequest {
  method?: string
  body?: unknown
  /** The Idempotency-Key. */
  key?: string
  headers?: Record<string, string>
}

export type Client = ReturnType<typeof createClient>

const timeoutMs = 4_000

export function createClient({
  userId,
  token,
  urls,
  random,
}: {
  userId: string
  token: string
  /** Base URLs of the replicas that can be called now. */
  urls: () => string[]
  random: Random
}) {
  /** Undefined when the request fails or times out. */
  async function requestOnce(
    path: string,
    method: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Omit<ClientResponse, 'lost'> | undefined> {
    try {
      const response = await fetch(`${random.pick(urls())}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        signal: AbortSignal.timeout(timeoutMs),
        redirect: 'manual',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
    } catch {
      return undefined
    }
  }

  /**
   * Retries until the response is neither 5xx nor 429. A request that changes something needs an
   * idempotency key, unless it may be repeated.
   */
  async function request(
    path: string,
    { method = 'GET', body, key, headers = {} }: ClientRequest = {},
  ): Promise<ClientResponse> {
    for (let lost = 0; ; lost += 1) {
      const response = await requestOnce(path, method, body, {
        ...headers,
        ...(key !== undefined && { 'idempotency-key': key }),
      })
      if (response && response.status < 500 && response.status !== 429) return { ...response, lost }
      await delay(random.between(50, 250))
    }
  }

  return { userId, token, request }
}
