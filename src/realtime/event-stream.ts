// The SSE twin of a WebSocket: the same messages as events without a name. It only sends.

import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { encodeError } from '../contract/realtime.ts'
import { heartbeatFrame, retryFrame } from '../http/event-stream.ts'
import type { CloseReason, Connection, ConnectionOptions } from './connection.ts'

export interface EventStreamOptions extends ConnectionOptions {
  heartbeatMs: number
  bufferBytes: number
  /** Events without an id of their own get the number of the message. */
  countsMessages: boolean
}

const reconnectMs = 2_000
/** A client that reads nothing for this long is gone, even if its socket seems open. */
const stalledMs = 60_000
const highWaterBytes = 64 * 1024

export function openEventStream(options: EventStreamOptions): {
  connection: Connection
  stream: Readable
} {
  const { userId, now, countsMessages } = options
  const pending: Buffer[] = [retryFrame(reconnectMs)]
  let pendingBytes = 0
  let count = 0
  let isWritable = false
  let isEnding = false
  let isEnded = false
  let isBehind = false
  let lastSentMs = now()
  let pushedBytes = 0
  /** What the client had taken when it was last seen to take something. */
  let taken = { bytes: 0, atMs: now() }

  const stream = new Readable({
    highWaterMark: highWaterBytes,
    read() {
      isWritable = true
      flush()
    },
    destroy(error, callback) {
      isEnding = true
      session.onClose()
      options.onClose(connection)
      callback(error)
    },
  })

  function flush() {
    while (isWritable && pending.length > 0) isWritable = push(Buffer.concat(pending.splice(0)))
    if (pending.length > 0 || isEnded) return
    pendingBytes = 0
    if (isEnding) {
      isEnded = true
      stream.push(null)
    } else if (isBehind) {
      isBehind = false
      session.onReady()
    }
  }

  function push(bytes: Buffer): boolean {
    lastSentMs = now()
    pushedBytes += bytes.length
    return stream.push(bytes)
  }

  /** What waits in the stream was not taken: heartbeats alone would never fill it. */
  function isStalled(nowMs: number): boolean {
    const bytes = pushedBytes - stream.readableLength
    const isAll = stream.readableLength === 0 && pendingBytes === 0
    if (isAll || bytes !== taken.bytes) taken = { bytes, atMs: nowMs }
    return nowMs - taken.atMs >= stalledMs
  }

  function write(frame: Buffer) {
    pending.push(frame)
    pendingBytes += frame.length
    if (pendingBytes > options.bufferBytes) stream.destroy()
    else flush()
  }

  function send(message: Buffer, eventId?: string) {
    if (isEnding) return
    count += 1
    const id = eventId ?? (countsMessages ? String(count) : undefined)
    const head = id === undefined ? 'data: ' : `id: ${id}\ndata: `
    write(Buffer.concat([Buffer.from(head), message, endOfEvent]))
  }

  function close(reason: CloseReason) {
    if (isEnding) return
    isEnding = true
    write(reason === 'shutdown' ? retryFrame(reconnectMs) : Buffer.alloc(0))
  }

  const connection: Connection = {
    id: randomUUID(),
    userId,
    send,
    isReady() {
      isBehind ||= pendingBytes > 0
      return !isEnding && pendingBytes === 0
    },
    isOpen: () => !isEnding,
    close,
    tick({ nowMs, dateMs }) {
      if (stream.destroyed) return
      if (isStalled(nowMs)) stream.destroy()
      else if (!isEnding && dateMs >= options.expiresAtMs) {
        send(encodeError('TOKEN_EXPIRED'))
        close('token-ended')
      } else if (isWritable && !isEnding && nowMs - lastSentMs >= options.heartbeatMs - 500) {
        write(heartbeatFrame)
      }
    },
  }
  const session = options.openSession(connection)
  return { connection, stream }
}

const endOfEvent = Buffer.from('\n\n')
