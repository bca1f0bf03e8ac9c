// One connection for one call. Creating, preparing and streaming cost money and are not idempotent, so nothing here may retry a request
// or send it over a socket that upstream might just be closing; and a connection of its own can be torn down without touching another call.

import type { Readable } from 'node:stream'
import { buildConnector, Client } from 'undici'
import { raceSignal } from '../domain/deadline.ts'
import { Problem } from '../domain/problem.ts'
import { fault, unavailable } from './failures.ts'

export interface Request {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** From the root of upstream, encoded, with its query. */
  path: string
  headers: Record<string, string>
  json?: unknown
  signal: AbortSignal
}

export interface Response {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Readable
  /** Tears the connection down. To be called whatever happened to the body. */
  end(): void
}

/** How long a host may take to accept a connection. */
const connectMs = 10_000

const nothing = () => undefined

export type Connections = ReturnType<typeof createConnections>

export function createConnections(url: string) {
  const base = new URL(url)
  const prefix = base.pathname.replace(/\/+$/, '')
  const neverConnected = new WeakSet<Error>()
  const clients = new Set<Client>()
  let closed = false

  const dial = buildConnector({ timeout: connectMs })
  const connect: buildConnector.connector = (options, done) =>
    dial(options, (...result) => {
      if (result[0]) neverConnected.add(result[0])
      done(...result)
    })

  function drop(client: Client): void {
    client
      .destroy()
      .catch(nothing)
      .finally(() => clients.delete(client))
  }

  /** What an error of a connection means: the signal's reason where that aborted, no connection an outage, a broken one a fault. */
  function failureOf(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    if (error instanceof Problem) return error
    return error instanceof Error && neverConnected.has(error) ? unavailable(error) : fault('the connection broke', { cause: error })
  }

  return {
    failureOf,

    /** Sends a request and resolves with the head of the answer, whatever its status. Redirects are not followed. */
    async open({ method, path, headers, json, signal }: Request): Promise<Response> {
      signal.throwIfAborted()
      if (closed) throw unavailable(new Error('closed'))
      // Its own timers are off, since a model may be silent for longer than their defaults: deadlines are in the signal.
      const client = new Client(base.origin, { connect, pipelining: 0, headersTimeout: 0, bodyTimeout: 0 })
      clients.add(client)
      try {
        const content = json === undefined ? {} : { 'content-type': 'application/json' }
        const sent = client.request({
          method,
          path: prefix + path,
          headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'presenton-gateway', ...content, ...headers },
          body: json === undefined ? null : JSON.stringify(json),
          signal,
        })
        // undici looks at the signal only once it is connected.
        const { statusCode, headers: head, body } = await raceSignal(sent, signal)
        // Destroying the connection under a body that nobody reads any more must not be an uncaught error.
        body.on('error', nothing)
        return { status: statusCode, headers: head, body, end: () => drop(client) }
      } catch (error) {
        drop(client)
        throw failureOf(error, signal)
      }
    },

    async close(): Promise<void> {
      closed = true
      await Promise.all([...clients].map((client) => client.destroy().catch(nothing)))
    },
  }
}
