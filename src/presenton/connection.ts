// One connection for each request, except for those that may be repeated. Creating, preparing and
// streaming cost money and are not idempotent: they are never retried here, nor sent over a socket
// that upstream is closing. A connection of its own is also torn down without disturbing others.

import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { buildConnector, Client, Pool } from 'undici'
import { raceSignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import { fault, outage } from './failures.ts'

export interface UpstreamRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Encoded, with its query; relative to the base URL. */
  path: string
  headers: Record<string, string>
  json?: unknown
  /** The body of a request without `json`. */
  openBody?: (() => AsyncIterable<Uint8Array>) | undefined
  signal: AbortSignal
  /** It may be sent twice, so it may use a connection of other requests that is still open. */
  isRepeatable?: boolean | undefined
}

export interface UpstreamResponse {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Readable
  /** Closes the connection. Must be called, whether or not the body was read. */
  close(): void
}

const connectTimeoutMs = 10_000
/** Shorter than upstream keeps one, so that few are found closed. */
const keepAliveMs = 4_000
const maxKept = 32

const ignore = () => undefined

export type Connections = ReturnType<typeof createConnections>

export function createConnections(url: string) {
  const base = new URL(url)
  const prefix = base.pathname.replace(/\/+$/, '')
  const connectErrors = new WeakSet<Error>()
  const closeFunctions = new Set<() => void>()
  const closingClients = new Set<Promise<unknown>>()
  const connector = buildConnector({ timeout: connectTimeoutMs })
  let isClosed = false

  const openSocket: buildConnector.connector = (options, done) =>
    connector(options, (...result) => {
      if (result[0]) connectErrors.add(result[0])
      done(...result)
    })

  /** A client that connects with its first request; `close` also works while it is connecting. */
  function createConnection() {
    let socket: Socket | undefined
    const connect: buildConnector.connector = (options, done) => {
      // The connector returns its socket, though its type does not say so. Destroying the client
      // alone would leave the socket connecting.
      socket = openSocket(options, done) as unknown as Socket
    }
    // undici's own timeouts are shorter than the silence of a slow model; call deadlines replace
    // them.
    const client = new Client(base.origin, {
      connect,
      pipelining: 0,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    function close(): void {
      if (!closeFunctions.delete(close)) return
      const closing = client.destroy().catch(ignore)
      closingClients.add(closing)
      closing.finally(() => closingClients.delete(closing))
      socket?.destroy(new Error('the call has ended'))
    }
    closeFunctions.add(close)
    return { client, close }
  }

  const kept = new Pool(base.origin, {
    connect: openSocket,
    connections: maxKept,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  /**
   * The failure that an error of a connection means: the reason of an aborted `signal`, an outage
   * where no connection was made, a fault where one broke.
   */
  function toFailure(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    if (error instanceof Problem) return error
    return error instanceof Error && connectErrors.has(error)
      ? outage(error)
      : fault('the connection broke', { cause: error })
  }

  return {
    toFailure,

    /** Resolves with the head of a response of any status. Follows no redirects. */
    async open({
      method,
      path,
      headers,
      json,
      openBody,
      signal,
      isRepeatable = false,
    }: UpstreamRequest): Promise<UpstreamResponse> {
      signal.throwIfAborted()
      if (isClosed) throw outage(new Error('the client is closed'))
      const request = {
        method,
        path: prefix + path,
        headers: {
          accept: '*/*',
          'accept-encoding': 'identity',
          'user-agent': 'presenton-gateway',
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body:
          json === undefined ? (openBody ? Readable.from(openBody()) : null) : JSON.stringify(json),
        signal,
      }
      const connection = isRepeatable ? undefined : createConnection()
      function close(): void {
        if (!connection) return
        signal.removeEventListener('abort', connection.close)
        connection.close()
      }
      // undici checks its signal only between connecting and the end of a body, and then keeps the
      // connection for seconds.
      if (connection) signal.addEventListener('abort', connection.close, { once: true })
      try {
        const response = (connection?.client ?? kept).request(request)
        const { statusCode, headers: responseHeaders, body } = await raceSignal(response, signal)
        // Closing the connection must not cause an uncaught error in a body that is no longer read.
        body.on('error', ignore)
        const closeKept = () => void body.destroy()
        return {
          status: statusCode,
          headers: responseHeaders,
          body,
          close: connection ? close : closeKept,
        }
      } catch (error) {
        close()
        throw toFailure(error, signal)
      }
    },

    async close(): Promise<void> {
      isClosed = true
      for (const close of closeFunctions) close()
      await kept.destroy()
      await Promise.all(closingClients)
    },
  }
}
