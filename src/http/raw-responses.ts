// Answers written to a socket by hand, for what never becomes a request: what Node's parser
// refuses, and CONNECT. They look like all other problems.

import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import { problemDocument, problemHeaders, problemType } from './problems.ts'

const statuses: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

/** For Node's `clientError`: what came was no HTTP, was too large, or came too slowly. */
export function respondToClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  security: Record<string, string>,
) {
  const pending = (socket as Duplex & { _httpMessage?: { headersSent?: boolean } })._httpMessage
  if (error.code === 'ECONNRESET' || !socket.writable || pending?.headersSent) {
    socket.destroy()
    return
  }
  write(
    socket,
    new Problem('VALIDATION_FAILED', { status: statuses[error.code ?? ''] ?? 400 }),
    security,
  )
}

/**
 * For Node's `connect`: this is no proxy. Without a listener Node would cut the connection and say
 * nothing.
 */
export function rejectConnect(socket: Duplex, security: Record<string, string>) {
  // Node has let go of this socket; its errors are ours now.
  socket.on('error', () => socket.destroy())
  write(socket, new Problem('METHOD_NOT_ALLOWED', { headers: { allow: '' } }), security)
}

function write(socket: Duplex, problem: Problem, security: Record<string, string>) {
  const document = problemDocument(problem, { instance: '/', requestId: randomUUID() })
  const body = JSON.stringify(document)
  const headers = {
    ...security,
    ...problemHeaders(problem),
    'x-request-id': document.request_id,
    'content-type': problemType,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${document.status} ${document.title}\r\n${lines.join('')}\r\n${body}`, () =>
    socket.destroy(),
  )
}
