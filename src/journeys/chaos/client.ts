// A user who asks and asks again, at any replica, until there is an answer: what every client of a
// service should do that may be restarted at any moment.

import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.ts'

export interface ClientResponse {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: every kind of answer
  body: any
}

export type Client = ReturnType<typeof createClient>

const patienceMs = 4_000

export function createClient({
  token,
  urls,
  random,
}: {
  token: string
  urls: () => string[]
  random: Random
}) {
  async function requestOnce(
    path: string,
    method: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<ClientResponse | undefined> {
    try {
      const answer = await fetch(`${random.pick(urls())}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        signal: AbortSignal.timeout(patienceMs),
        redirect: 'manual',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
    } catch {
      return undefined
    }
  }

  /**
   * Repeats until the answer is no 5xx, and no 409 or 429 that says when to come back. Whatever
   * changes something has a key, or may be done twice.
   */
  async function request(
    path: string,
    { method = 'GET', body, key }: { method?: string; body?: unknown; key?: string } = {},
  ): Promise<ClientResponse> {
    for (;;) {
      const answer = await requestOnce(
        path,
        method,
        body,
        key === undefined ? {} : { 'idempotency-key': key },
      )
      if (answer && answer.status < 500 && answer.status !== 429) return answer
      await delay(random.between(50, 250))
    }
  }

  return { token, request }
}
