// One connection for one call. Creating, preparing and streaming cost money and are not idempotent,
// so nothing here may retry a request or send it over a socket that upstream might just be closing;
// and a connection of its own can be torn down without touching another call.

import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { buildConnector, Client } from 'undici'
import { raceSignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import { fault, unavailable } from './failures.ts'

export interface UpstreamRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** From the root of upstream, encoded, with its query. */
  path: string
  headers: Record<string, string>
  json?: unknown
  signal: AbortSignal
}

export interface UpstreamResponse {
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
  const ends = new Set<() => void>()
  const leaving = new Set<Promise<unknown>>()
  const dial = buildConnector({ timeout: connectMs })
  let closed = false

  /**
   * A connection that is made at its first request, and an end to it that also works while it is
   * being made.
   */
  function createLine() {
    let socket: Socket | undefined
    const connect: buildConnector.connector = (options, done) => {
      // It returns the socket, though its types do not say so; undici alone would leave it
      // connecting when its client is destroyed.
      socket = dial(options, (...result) => {
        if (result[0]) neverConnected.add(result[0])
        done(...result)
      }) as unknown as Socket
    }
    // undici's own timers are off, since a model may be silent for longer than their defaults:
    // deadlines are in the signal.
    const client = new Client(base.origin, {
      connect,
      pipelining: 0,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    function end(): void {
      if (!ends.delete(end)) return
      const gone = client.destroy().catch(nothing)
      leaving.add(gone)
      gone.finally(() => leaving.delete(gone))
      socket?.destroy(new Error('the call has ended'))
    }
    ends.add(end)
    return { client, end }
  }

  /**
   * What an error of a connection means: the signal's reason where that aborted, no connection an
   * outage, a broken one a fault.
   */
  function failureOf(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    if (error instanceof Problem) return error
    return error instanceof Error && neverConnected.has(error)
      ? unavailable(error)
      : fault('the connection broke', { cause: error })
  }

  return {
    failureOf,

    /**
     * Sends a request and resolves with the head of the answer, whatever its status. Redirects are
     * not followed.
     */
    async open({
      method,
      path,
      headers,
      json,
      signal,
    }: UpstreamRequest): Promise<UpstreamResponse> {
      signal.throwIfAborted()
      if (closed) throw unavailable(new Error('closed'))
      const line = createLine()
      function end(): void {
        signal.removeEventListener('abort', line.end)
        line.end()
      }
      // Left to itself, undici looks at the signal only between connecting and the end of a body,
      // and lets the connection live on for seconds.
      signal.addEventListener('abort', line.end, { once: true })
      try {
        const content = json === undefined ? {} : { 'content-type': 'application/json' }
        const sent = line.client.request({
          method,
          path: prefix + path,
          headers: {
            accept: '*/*',
            'accept-encoding': 'identity',
            'user-agent': 'presenton-gateway',
            ...content,
            ...headers,
          },
          body: json === undefined ? null : JSON.stringify(json),
          signal,
        })
        const { statusCode, headers: head, body } = await raceSignal(sent, signal)
        // Destroying the connection under a body that nobody reads any more must not be an uncaught
        // error.
        body.on('error', nothing)
        return { status: statusCode, headers: head, body, end }
      } catch (error) {
        end()
        throw failureOf(error, signal)
      }
    },

    async close(): Promise<void> {
      closed = true
      for (const end of ends) end()
      await Promise.all(leaving)
    },
  }
}
