// Lingering close (RFC 9112, section 9.6). A connection that is closed with unread data is reset,
// and a reset destroys a response that the client has not read yet. So after a response that
// precedes the end of its request's body, the rest of the body is discarded before the close.

import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Problem } from '../domain/problem.ts'

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

/** What is discarded of one connection at most. */
const maxDiscardedBytes = 64 * 1024 * 1024
/** From the end of the response to the close of the connection at the latest. */
const lingerMs = 30_000

export interface LingeringClose {
  /** For the option of `node:http` with this name. */
  ServerResponse: typeof ServerResponse
  /** From now on all input is discarded, and `destroySoon` lingers. */
  discardInput: (socket: Socket) => void
  isDiscarding: (socket: Socket) => boolean
  /**
   * The rest of the body that is on its way will not arrive: its reader gets the problem.
   * False if the latest request of the connection is complete.
   */
  failBody: (socket: Socket, problem: Problem) => boolean
  /** Resolves when the connections that linger now are closed, after `timeoutMs` at the latest. */
  closeWithin: (timeoutMs: number) => Promise<void>
}

export function createLingeringClose(): LingeringClose {
  const latestRequests = new WeakMap<Socket, IncomingMessage>()
  const discarding = new WeakSet<Socket>()
  const lingering = new Set<Socket>()

  function discardInput(socket: Socket) {
    if (discarding.has(socket)) return
    discarding.add(socket)
    let discarded = 0
    let isResponseSent = false
    // Node's parser must not see the rest: it could hold another request, or invalid HTTP.
    socket.removeAllListeners('data').on('data', (chunk: Buffer) => {
      discarded += chunk.length
      if (discarded <= maxDiscardedBytes) return
      if (isResponseSent) socket.destroy()
      else socket.pause()
    })
    socket.resume()
    // A full request has stopped the handle, and `resume` alone doesn't know that.
    socket._read(0)
    // Node calls it when the last response of a connection has been written.
    socket.destroySoon = () => {
      isResponseSent = true
      if (discarded > maxDiscardedBytes) return void socket.end(() => socket.destroy())
      socket.end()
      linger(socket)
    }
  }

  /** The socket closes by itself when the client closes its side. */
  function linger(socket: Socket) {
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    lingering.add(socket)
    socket.once('close', () => {
      clearTimeout(timer)
      lingering.delete(socket)
    })
  }

  class LingeringResponse<
    Request extends IncomingMessage = IncomingMessage,
  > extends ServerResponse<Request> {
    constructor(...parameters: ConstructorParameters<typeof ServerResponse<Request>>) {
      super(...parameters)
      latestRequests.set(this.req.socket, this.req)
      // The request log, spans, hooks and each step of a piped body wait for its end.
      this.setMaxListeners(20)
    }

    /** Node calls it before any route is known; the client waits until its body is wanted. */
    override writeContinue() {
      const { req } = this
      const { _read: read } = req
      req._read = (size) => {
        req._read = read
        if (!this.headersSent) super.writeContinue()
        read.call(req, size)
      }
    }

    override writeHead(status: number, reason?: string | Headers, headers?: Headers) {
      const isEarly = !this.req.complete
      if (isEarly) this.shouldKeepAlive = false
      super.writeHead(status, reason as string, headers)
      if (isEarly) {
        discardInput(this.req.socket)
        endBody(this.req)
      }
      return this
    }
  }

  return {
    ServerResponse: LingeringResponse,
    discardInput,
    isDiscarding: (socket) => discarding.has(socket),
    failBody(socket, problem) {
      const request = latestRequests.get(socket)
      if (!request || request.complete) return false
      discardInput(socket)
      endBody(request, problem)
      return true
    },
    async closeWithin(timeoutMs) {
      const sockets = [...lingering]
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, timeoutMs)
      await Promise.all(
        sockets.map((socket) => new Promise<void>((resolve) => socket.once('close', resolve))),
      )
      clearTimeout(timer)
    },
  }
}

/** Frees what is buffered and tells the reader. Node would destroy the socket, too. */
function endBody(request: IncomingMessage, problem?: Problem) {
  request.on('error', () => undefined)
  request._destroy = (error, callback) => callback(error)
  request.destroy(problem)
}
