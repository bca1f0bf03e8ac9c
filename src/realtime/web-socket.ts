// One WebSocket: what its client may send, how much may be unsent, pings, and close codes. A slow
// client costs at most its buffer, and delays no other.

import { randomUUID } from 'node:crypto'
import type { WebSocket } from 'ws'
import { type ClientMessageType, encodeError, encodeMessage } from '../contract/realtime.ts'
import { parseClientMessage } from './client-messages.ts'
import type { CloseReason, Connection, ConnectionOptions, Time } from './connection.ts'
import { createMessageLimit } from './message-limit.ts'
import { createMessageQueue } from './message-queue.ts'

export interface WebSocketOptions extends ConnectionOptions {
  socket: WebSocket
  /** The types of messages that this connection understands. */
  types: ReadonlySet<ClientMessageType>
  messagesPerSecond: number
  bufferBytes: number
  onReceived: () => void
  onSent: () => void
  /** A client message could not be handled. */
  onError: (error: unknown) => void
}

const pingMs = 30_000
const maxUnansweredPings = 2
/** Below this the client keeps up. */
const readyBytes = 64 * 1024

const closeCodes: Record<CloseReason, number> = {
  policy: 1008,
  shutdown: 1012,
  'too-slow': 1013,
  'token-ended': 4401,
  deleted: 4404,
  finished: 1000,
}
const unsupportedData = 1003
const reconnectMs = { min: 1_000, max: 5_000 }

const textFrame = { binary: false, compress: false, fin: true }

/** Must be called in the turn of the upgrade, or messages are lost. */
export function openWebSocket(options: WebSocketOptions): Connection {
  const { socket, userId, now, bufferBytes } = options
  const checkRate = createMessageLimit(options.messagesPerSecond, now())
  const lowWaterBytes = Math.min(readyBytes, bufferBytes / 4)
  let isClosing = false
  let isBehind = false
  let lastPingMs = now()
  let unansweredPings = 0

  const connection: Connection = {
    id: randomUUID(),
    userId,
    send,
    isReady,
    isOpen: () => !isClosing,
    close: (reason) =>
      close(closeCodes[reason], reason === 'shutdown' ? waitBeforeReconnect() : ''),
    tick,
  }

  const queue = createMessageQueue({
    handle: (message) => session.onMessage(message),
    onFailure: ({ requestId }, error) => {
      options.onError(error)
      send(encodeError('INTERNAL_ERROR', requestId))
    },
  })

  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isClosing) return
    options.onReceived()
    if (isBinary) close(unsupportedData)
    else receive(data)
  })
  socket.on('ping', (data: Buffer) => {
    // A client that pings and does not read would fill the memory with pongs.
    if (isClosing) return
    if (socket.bufferedAmount > bufferBytes) close(closeCodes['too-slow'])
    // Pongs alone may fill the buffer, so what waits for it must hear of them too.
    else socket.pong(data, false, onWritten)
  })
  socket.on('pong', () => {
    unansweredPings = 0
  })
  socket.on('close', () => {
    isClosing = true
    queue.clear()
    session.onClose()
    options.onClose(connection)
  })

  function receive(data: Buffer) {
    const verdict = checkRate(now())
    if (verdict !== 'accept') send(encodeError('RATE_LIMIT_EXCEEDED'))
    if (verdict === 'close') close(closeCodes.policy)
    if (verdict !== 'accept') return
    const message = parseClientMessage(data.toString(), options.types)
    if (Buffer.isBuffer(message)) return send(message)
    const { type, requestId } = message
    if (type === 'ping') send(encodeMessage('pong', {}, { requestId }))
    else if (!queue.add(message)) send(encodeError('RATE_LIMIT_EXCEEDED'))
  }

  function isReady(): boolean {
    const isLow = !isClosing && socket.bufferedAmount < lowWaterBytes
    isBehind ||= !isLow
    return isLow
  }

  function send(message: Buffer) {
    if (isClosing || socket.readyState !== socket.OPEN) return
    const unsentBytes = socket.bufferedAmount
    if (unsentBytes > 0 && unsentBytes + message.length > bufferBytes) {
      return close(closeCodes['too-slow'])
    }
    socket.send(message, textFrame, onWritten)
    options.onSent()
  }

  function onWritten() {
    if (!isBehind || isClosing || socket.bufferedAmount >= lowWaterBytes) return
    isBehind = false
    session.onReady()
  }

  function close(code: number, reason = '') {
    if (isClosing) return
    isClosing = true
    socket.close(code, reason)
  }

  function tick({ nowMs, dateMs }: Time) {
    if (isClosing) return
    if (dateMs >= options.expiresAtMs) {
      send(encodeError('TOKEN_EXPIRED'))
      return connection.close('token-ended')
    }
    if (nowMs - lastPingMs < pingMs) return
    if (unansweredPings >= maxUnansweredPings) return socket.terminate()
    lastPingMs = nowMs
    unansweredPings += 1
    socket.ping()
  }

  const session = options.openSession(connection)
  return connection
}

/** As text, because the reason of a close frame is one. */
function waitBeforeReconnect(): string {
  const { min, max } = reconnectMs
  return String(Math.round(min + Math.random() * (max - min)))
}
