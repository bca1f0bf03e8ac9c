// Messages of a real-time connection: over a WebSocket, or over server-sent events where there is
// none or it is refused. Reconnects after drops, restarts of the gateway and the end of a token.

import { GatewayError, passes } from './errors.ts'
import { type MessageData, type OpenEventStream, parseData } from './event-stream.ts'
import { askedRetryMs, createReconnects, defaultRetryMs } from './reconnects.ts'
import type { Requests } from './requests.ts'
import { openSocket, type SocketClass, type SocketEnd } from './socket.ts'
import type { Timing } from './timing.ts'
import type { TokenSource } from './token.ts'

export interface RealtimeOptions {
  requests: Requests
  openEventStream: OpenEventStream
  tokens: TokenSource
  timing: Timing
  Socket: SocketClass | undefined
  silenceMs: number
}

/** What one kind of connection is about. */
export interface Subject {
  /** Below `/realtime/`, now: it may change between connections. */
  path: () => string
  /** The place to resume from. */
  cursor?: () => string | undefined
  /** Sent once the WebSocket has opened. */
  onOpen?: (send: (message: object) => void) => void
  /** One stream of server-sent events would not do. */
  needsSocket?: boolean
  /** After a refusal, whose reason is hidden, and after a deletion: what there is to tell of it. */
  onRefused?: () => Promise<MessageData[]>
}

/** There is no WebSocket, or a proxy on the way refuses it. */
export class NoSocket extends Error {}

export type FollowRealtime = ReturnType<typeof createFollowRealtime>

type Connection = AsyncGenerator<MessageData, ConnectionEnd, undefined>
type ConnectionEnd =
  | { kind: 'over' }
  | { kind: 'drop'; retryMs?: number }
  | { kind: 'refused socket' }
  | { kind: 'deleted' }
  | { kind: 'expired'; token: string | undefined }

/** In a row, after the first connection: one may be a restart of the gateway. */
const maxRefusals = 5

export function createFollowRealtime(options: RealtimeOptions) {
  const { requests, openEventStream, tokens, timing, Socket, silenceMs } = options

  /** @throws GatewayError for what no reconnect solves */
  return async function* follow(
    subject: Subject,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<MessageData, void, undefined> {
    let usesSocket = Socket !== undefined
    if (!usesSocket && subject.needsSocket) throw new NoSocket()
    const reconnects = createReconnects({ tokens, timing })
    let refusals = maxRefusals
    for (;;) {
      signal?.throwIfAborted()
      let retryMs: number | undefined
      const connection = usesSocket && Socket ? overSocket(Socket) : overEvents()
      try {
        let next = await connection.next()
        for (; !next.done; next = await connection.next()) {
          reconnects.succeeded()
          refusals = 0
          yield next.value
        }
        signal?.throwIfAborted()
        const end = next.value
        if (end.kind === 'over') return
        if (end.kind === 'expired') {
          reconnects.renew(end.token)
          continue
        }
        if (end.kind === 'refused socket') {
          refusals += 1
          if (refusals > maxRefusals) {
            if (subject.needsSocket) throw new NoSocket()
            usesSocket = false
            continue
          }
        }
        if (end.kind !== 'drop') {
          for (const message of (await subject.onRefused?.()) ?? []) yield message
          if (end.kind === 'deleted') continue
        }
        retryMs = end.kind === 'drop' ? end.retryMs : undefined
      } catch (error) {
        signal?.throwIfAborted()
        if (!passes(error)) throw error
        retryMs = askedRetryMs(error)
      } finally {
        await connection.return({ kind: 'over' })
      }
      await reconnects.wait(retryMs ?? defaultRetryMs, signal)
    }

    async function* overSocket(Socket: SocketClass): Connection {
      const token = await tokens.read(signal)
      // Pages cannot add a header to a WebSocket.
      const ticket = token === undefined ? undefined : (await requestTicket()).ticket
      const query = { ticket, last_event_id: subject.cursor?.() }
      const url = requests.urlOf({ path: `/realtime/${subject.path()}`, query })
      const { location } = globalThis as { location?: { href: string } }
      const address = new URL(url, location?.href)
      address.protocol = address.protocol.replace('http', 'ws')
      const socket = openSocket({ url: address.href, Socket, signal, silenceMs })
      const messages = socket.messages()
      let isFirst = true
      try {
        let next = await messages.next()
        for (; !next.done; next = await messages.next()) {
          // The gateway says so, and then closes with 4401.
          if (isTokenExpired(next.value)) return { kind: 'expired', token }
          if (isFirst) subject.onOpen?.(socket.send)
          isFirst = false
          yield next.value
        }
        return endOf(next.value, token)
      } finally {
        socket.close()
      }
    }

    function requestTicket() {
      return requests.send<{ ticket: string }>({ method: 'POST', path: '/realtime/ticket', signal })
    }

    async function* overEvents(): Connection {
      const cursor = subject.cursor?.()
      const stream = openEventStream({
        path: `/realtime/sse/${subject.path()}`,
        headers: cursor === undefined ? {} : { 'last-event-id': cursor },
        signal,
      })
      let retryMs = defaultRetryMs
      try {
        const opened = await stream.open()
        if (!opened) return { kind: 'over' }
        for await (const { data } of stream.messages(opened.response, (ms) => (retryMs = ms))) {
          const message = parseData(data)
          if (!message) continue
          if (isTokenExpired(message)) return { kind: 'expired', token: opened.token }
          yield message
        }
        return { kind: 'drop', retryMs }
      } finally {
        stream.close()
      }
    }
  }
}

const isTokenExpired = ({ type, error_code: code }: MessageData) =>
  type === 'error' && code === 'TOKEN_EXPIRED'

function endOf({ code, reason, wasOpen }: SocketEnd, token: string | undefined): ConnectionEnd {
  if (!wasOpen) return { kind: 'refused socket' }
  if (code === 4401) return { kind: 'expired', token }
  if (code === 4404) return { kind: 'deleted' }
  if (code === 1008) {
    const message = 'The gateway has closed the connection.'
    throw new GatewayError({ code: 'RATE_LIMIT_EXCEEDED', status: 429, message })
  }
  // A replica that shuts down says how long to wait, each connection another time.
  return code === 1012 && /^\d{1,5}$/.test(reason)
    ? { kind: 'drop', retryMs: Number(reason) }
    : { kind: 'drop' }
}

/** The error of a message that answers one of ours; undefined for one that passes. */
export function messageError(message: MessageData): GatewayError | undefined {
  const code = String(message['error_code'])
  if (code === 'RATE_LIMIT_EXCEEDED' || code === 'INTERNAL_ERROR') return undefined
  const status = code === 'NOT_FOUND' ? 404 : 400
  return new GatewayError({ code, status, message: String(message['message']) })
}
