// Writes a stream into an HTTP response at the client's pace. Bytes that many responses share are
// framed as a chunk of HTTP/1.1 once and written to the socket: Node would frame them again, in
// three writes, for each response.

import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Readable, Writable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { restoreIdleTimeout } from './slow-responses.ts'
import { endSpanAtHeaders } from './trace-requests.ts'

/** One writer for all responses that may share bytes. */
export function createChunkWriter() {
  const toChunk = createChunkFraming()

  /** Takes over the reply. Either side that ends ends the other. */
  return function write(stream: Readable, reply: FastifyReply): void {
    // Fastify's own streaming keeps a third more memory for each open response.
    const { raw } = reply.hijack()
    if (raw.destroyed) return void stream.destroy()
    raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders)
    // Headers must not wait for the first event.
    raw.flushHeaders()
    restoreIdleTimeout(reply)
    endSpanAtHeaders(reply)
    stream.on('data', (bytes: Buffer) => {
      const target = targetOf(raw)
      if (target.write(target === raw ? bytes : toChunk(bytes))) return
      stream.pause()
      target.once('drain', () => stream.resume())
    })
    stream.once('end', () => raw.end())
    stream.once('error', () => raw.destroy())
    // A stream that we end in the middle must not look complete.
    stream.once('close', () => {
      if (!stream.readableEnded) raw.destroy()
    })
    raw.once('close', () => stream.destroy())
  }
}

/**
 * The socket, once nothing of the response waits before these bytes. The response itself for
 * HTTP/1.0 (no chunks), for a pipelined response without a socket, and for a half-closed client.
 */
function targetOf(raw: ServerResponse): Writable {
  const { socket } = raw
  const isDirect =
    socket?.writable && raw.chunkedEncoding && raw.writableLength === socket.writableLength
  return isDirect ? socket : raw
}

const endOfChunk = Buffer.from('\r\n')

/** Frames bytes as a chunk (RFC 9112, section 7.1) and remembers the latest. */
function createChunkFraming() {
  let latest: { bytes: Buffer; chunk: Buffer } | undefined

  return (bytes: Buffer): Buffer => {
    if (latest?.bytes !== bytes) {
      const size = Buffer.from(`${bytes.length.toString(16)}\r\n`)
      latest = { bytes, chunk: Buffer.concat([size, bytes, endOfChunk]) }
    }
    return latest.chunk
  }
}
