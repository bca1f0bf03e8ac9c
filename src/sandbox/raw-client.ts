// An HTTP client on a raw socket, for what real clients hide: when a response arrives while its
// request is still being sent, and whether the connection is closed or reset.

import { once } from 'node:events'
import { connect } from 'node:net'

export interface RawResponse {
  status: number
  /** By lower-case name. */
  headers: Record<string, string>
  body: string
}

export interface RawClientOptions {
  port: number
  /** Leaves responses in the socket until `readResponses`, like a client that writes first. */
  readsLater?: boolean
}

export type RawClient = ReturnType<typeof openRawClient>

const chunkBytes = 64 * 1024

/** Stays half-open: it goes on sending after the server has closed its side. */
export function openRawClient({ port, readsLater = false }: RawClientOptions) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let received = ''
  let errorCode: string | undefined
  let isEnded = false
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.setEncoding('latin1').on('data', (data: string) => {
    received += data
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    errorCode ??= error.code
  })
  socket.once('end', () => {
    isEnded = true
  })
  if (readsLater) socket.pause()

  async function until(isTrue: () => boolean) {
    while (!isTrue() && !socket.closed)
      await Promise.race([once(socket, 'data'), once(socket, 'end'), closed]).catch(() => undefined)
  }

  /** Resolves when the system has taken the bytes, false when the connection is broken. */
  function send(bytes: string | Buffer): Promise<boolean> {
    return new Promise((resolve) => {
      if (!socket.writable) return resolve(false)
      socket.write(bytes, 'latin1', (error) => resolve(!error))
    })
  }

  return {
    socket,
    closed,
    send,
    received: () => received,
    errorCode: () => errorCode,

    /** Sends a body of this size in pieces; resolves with the number of bytes sent. */
    async sendBody(bytes: number, { chunked = false } = {}): Promise<number> {
      let sent = 0
      while (sent < bytes) {
        const piece = Buffer.alloc(Math.min(chunkBytes, bytes - sent), 'x')
        const isSent = chunked
          ? await send(`${piece.length.toString(16)}\r\n${piece.toString('latin1')}\r\n`)
          : await send(piece)
        if (!isSent) return sent
        sent += piece.length
      }
      if (chunked) await send('0\r\n\r\n')
      return sent
    },

    readResponses() {
      socket.resume()
    },

    /** All responses so far, once there are `count` of them or the connection is at its end. */
    async responses(count = 1): Promise<RawResponse[]> {
      await until(() => parseResponses(received).length >= count || isEnded)
      return parseResponses(received)
    },

    /** Resolves when the text received so far matches, or the connection is at its end. */
    receivedMatch: (pattern: RegExp) => until(() => pattern.test(received) || isEnded),

    /** Resolves when the server has closed its side, or the connection is broken. */
    async ended(): Promise<'closed' | 'reset'> {
      await until(() => isEnded)
      return isEnded ? 'closed' : 'reset'
    },

    close() {
      socket.destroy()
    },
  }
}

/** The complete responses of a connection, by their Content-Length. Leaves out 1xx. */
function parseResponses(text: string): RawResponse[] {
  const responses: RawResponse[] = []
  for (let rest = text; rest.includes('\r\n\r\n'); ) {
    const [head = ''] = rest.split('\r\n\r\n', 1)
    const [, status = ''] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? []
    const headers = Object.fromEntries(
      [...head.matchAll(/^([^:\r\n]+): (.*?)\r?$/gm)].map(([, name = '', value]) => [
        name.toLowerCase(),
        value,
      ]),
    ) as Record<string, string>
    const end = head.length + 4 + Number(headers['content-length'] ?? 0)
    if (rest.length < end) break
    if (!status.startsWith('1'))
      responses.push({ status: Number(status), headers, body: rest.slice(head.length + 4, end) })
    rest = rest.slice(end)
  }
  return responses
}
