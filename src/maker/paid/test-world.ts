// What the tests of paid calls have in common: a world with the handlers behind a small server, and
// requests to it as a user's browser makes them.

import { openTestPaid } from '../../app/test-paid.ts'
import { openDatabase } from '../../database/connection.ts'
import type { User } from '../../journeys/user.ts'
import { openWorld } from '../../journeys/world.ts'
import { openClient } from '../../presenton/fixtures/upstream.ts'

export type PaidWorld = Awaited<ReturnType<typeof openPaidWorld>>

export async function openPaidWorld() {
  const world = await openWorld()
  const database = openDatabase({ url: world.database.url, poolMax: 8 })
  const presenton = openClient(world.presenton.url)
  const { url, close: closeServer } = await openTestPaid({ database, presenton })
  return {
    ...{ world, database, presenton, url },
    async close() {
      await closeServer()
      await presenton.close()
      await database.close()
      await world.close()
    },
  }
}

export type Body = Record<string, unknown>

export interface CallOptions {
  method?: string
  body?: Body
  headers?: Record<string, string>
  base?: string
}

/** `urlOf` is asked at each call, since the server opens after the tests are defined. */
export function createCalls(urlOf: () => string) {
  function call(
    user: User,
    path: string,
    { method, body, headers = {}, base = urlOf() }: CallOptions = {},
  ) {
    return fetch(`${base}${path}`, {
      method: method ?? (body ? 'POST' : 'GET'),
      redirect: 'manual',
      headers: {
        'x-user': user.sub,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    })
  }

  return {
    call,
    async read(user: User, path: string, options: CallOptions = {}) {
      const response = await call(user, path, options)
      return { status: response.status, body: (await response.json()) as Body & { id?: string } }
    },
  }
}

export async function messagesOf(response: Promise<Response>): Promise<Body[]> {
  const text = await (await response).text()
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, json = '']) => JSON.parse(json))
}
