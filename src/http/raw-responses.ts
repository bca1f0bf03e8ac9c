// Problem documents written directly to a socket, for what Fastify never sees: errors of Node's
// HTTP parser, and CONNECT.

import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import { problemDocument, problemHeaders, problemType } from './problems.ts'

function toProblem(code: string | undefined): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('REQUEST_TIMEOUT')
  return new Problem('VALIDATION_FAILED', code === 'HPE_HEADER_OVERFLOW' ? { status: 431 } : {})
}

/** For Node's `clientError`: invalid HTTP, too large headers, or a request that came too slowly. */
export function respondToClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  headers: Record<string, string>,
) {
  const response = (socket as Duplex & { _httpMessage?: { headersSent?: boolean } })._httpMessage
  if (error.code === 'ECONNRESET' || !socket.writable || response?.headersSent) {
    socket.destroy()
    return
  }
  writeProblem(socket, toProblem(error.code), headers)
}

/** For Node's `connect`. Without a listener Node would close the connection without a response. */
export function rejectConnect(socket: Duplex, headers: Record<string, string>) {
  // Node no longer handles the errors of this socket.
  socket.on('error', () => socket.destroy())
  writeProblem(socket, new Problem('METHOD_NOT_ALLOWED', { headers: { allow: '' } }), headers)
}

function writeProblem(socket: Duplex, problem: Problem, baseHeaders: Record<string, string>) {
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
  socket.end(`HTTP/1.1 ${document.status} ${document.title}\r\n${lines.join('')}\r\n${body}`, () =>
    socket.destroy(),
  )
}
