// Problem documents written directly to a socket, for what Fastify never sees: errors of Node's
// HTTP parser, and CONNECT.

import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import type { LingeringClose } from './lingering-close.ts'
import { problemDocument, problemHeaders, problemType } from './problems.ts'

function toProblem(code: string | undefined): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('REQUEST_TIMEOUT')
  return new Problem('VALIDATION_FAILED', code === 'HPE_HEADER_OVERFLOW' ? { status: 431 } : {})
}

export interface RawResponseOptions {
  /** On every response. */
  headers: Record<string, string>
  lingeringClose: LingeringClose
}

/** For Node's `clientError`: invalid HTTP, too large headers, or a request that came too slowly. */
export function respondToClientError(
  error: NodeJS.ErrnoException,
  duplex: Duplex,
  options: RawResponseOptions & { slowRequests: ReadonlySet<Socket> },
) {
  const socket = duplex as Socket & { _httpMessage?: { headersSent?: boolean } }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && options.slowRequests.has(socket)) {
    // Node reports it once for each request, and has removed its own listener.
    socket.on('error', () => undefined)
    return
  }
  // The response is on its way, and the socket ends by itself.
  if (options.lingeringClose.isDiscarding(socket)) return
  if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage?.headersSent) {
    socket.destroy()
    return
  }
  const problem = toProblem(error.code)
  // Without an answer from the route, the request log calls it a disconnect.
  const isCutOff = error.code === 'HPE_INVALID_EOF_STATE'
  if (isCutOff || !options.lingeringClose.failBody(socket, problem))
    writeProblem(socket, problem, options)
}

/** For Node's `connect`. Without a listener Node would close the connection without a response. */
export function rejectConnect(duplex: Duplex, options: RawResponseOptions) {
  const socket = duplex as Socket
  // Node no longer handles the errors of this socket.
  socket.on('error', () => socket.destroy())
  writeProblem(socket, new Problem('METHOD_NOT_ALLOWED', { headers: { allow: '' } }), options)
}

function writeProblem(
  socket: Socket,
  problem: Problem,
  { headers: baseHeaders, lingeringClose }: RawResponseOptions,
) {
  const document = problemDocument(problem, { instance: '/', requestId: randomUUID() })
  const body = JSON.stringify(document)
  const headers = {
    ...baseHeaders,
    ...problemHeaders(problem),
    'x-request-id': document.request_id,
    'content-type': problemType,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  lingeringClose.discardInput(socket)
  socket.write(`HTTP/1.1 ${document.status} ${document.title}\r\n${lines.join('')}\r\n${body}`)
  socket.destroySoon()
}
