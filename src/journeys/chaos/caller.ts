// A user who asks and asks again, at any replica, until there is an answer: what every client of a
// service should do that may be restarted at any moment.

import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.ts'

export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: every kind of answer
  body: any
}

export type Caller = ReturnType<typeof createCaller>

const patienceMs = 4_000

export function createCaller({
  token,
  urls,
  random,
}: {
  token: string
  urls: () => string[]
  random: Random
}) {
  async function askOnce(
    path: string,
    method: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Answer | undefined> {
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
  async function ask(
    path: string,
    { method = 'GET', body, key }: { method?: string; body?: unknown; key?: string } = {},
  ): Promise<Answer> {
    for (;;) {
      const answer = await askOnce(
        path,
        method,
        body,
        key === undefined ? {} : { 'idempotency-key': key },
      )
      if (answer && answer.status < 500 && answer.status !== 429) return answer
      await delay(random.between(50, 250))
    }
  }

  return { token, ask }
}
