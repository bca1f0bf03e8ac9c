// Upgrades of HTTP requests to WebSockets, by @fastify/websocket: an upgrade passes the same hooks
// as any request, so a refusal is an ordinary problem document.

import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import websocket from '@fastify/websocket'
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { Problem } from '../domain/problem.ts'
import type { App } from '../http/base.ts'
import type { CheckRateLimit } from '../http/rate-limit.ts'

const maxMessageBytes = 64 * 1024
/** How long a client may take to answer a close frame. */
const closeTimeoutMs = 5_000
const supportedVersion = '13'
/** Far more than the base lets pass, and fewer than Node hands on: it drops all after a thousand. */
const maxHeaders = 900

export interface UpgradeOptions {
  /** Whether this path has a WebSocket. */
  isWebSocketPath: (path: string) => boolean
  limitAnonymous: CheckRateLimit
}

/**
 * For a scope of WebSocket routes only, before its authentication. Its routes have a `wsHandler`;
 * their `handler` is never reached.
 */
export async function acceptUpgrades(
  scope: App,
  { isWebSocketPath, limitAnonymous }: UpgradeOptions,
): Promise<void> {
  scope.decorateRequest('upgradeResponse')
  const upgrades = separateUpgrades(scope, isWebSocketPath)
  await scope.register(websocket, {
    options: {
      server: upgrades as never,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      clientTracking: false,
      // The connection answers pings, within its buffer.
      autoPong: false,
      closeTimeout: closeTimeoutMs,
    } as never,
    // `ws` closes a connection that breaks the protocol, with the code that fits.
    errorHandler: () => undefined,
    // The connections close their sockets when the shutdown begins.
    preClose: async () => undefined,
  })
  scope.addHook('onRequest', async (request, reply) => {
    // On a refused upgrade nothing reads a further request.
    if (request.ws) reply.header('connection', 'close')
    if (isUpgrade(request)) return
    await limitAnonymous(request, reply)
    const headers = { upgrade: 'websocket', 'sec-websocket-version': supportedVersion }
    throw new Problem('UPGRADE_REQUIRED', { headers })
  })
  scope.addHook('preValidation', async ({ headers }) => {
    // Otherwise `ws` would refuse them, without a problem document.
    if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) {
      throw invalidHeader('Sec-WebSocket-Key', 'must be 16 bytes in base64')
    }
    if (!isTokenList(headers['sec-websocket-protocol'])) {
      throw invalidHeader('Sec-WebSocket-Protocol', 'must be a list of different tokens')
    }
  })
}

function invalidHeader(path: string, message: string): Problem {
  return new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })
}

function isTokenList(list: string | undefined): boolean {
  if (list === undefined) return true
  const tokens = list.split(',').map((token) => token.trim())
  const areValid = tokens.every((token) => /^[\w!#$%&'*+.^`|~-]+$/.test(token))
  return areValid && new Set(tokens).size === tokens.length
}

function isUpgrade({ ws, raw, headers }: FastifyRequest): boolean {
  return ws && raw.httpVersion === '1.1' && headers['sec-websocket-version'] === supportedVersion
}

/**
 * Emits the upgrades of WebSocket paths. All other requests with an `Upgrade` header are ordinary
 * ones (RFC 9110, section 7.8): Java's client, for example, offers h2c with each. Once a server has
 * a listener for upgrades, Node stops reading such requests, so they are given back to it.
 */
function separateUpgrades({ server }: App, isWebSocketPath: UpgradeOptions['isWebSocketPath']) {
  const upgrades = new EventEmitter()
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const { method, url = '/', headers } = request
    const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
    const isWebSocket = method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'
    if (!isWebSocket || !isWebSocketPath(path)) return giveBack(request, socket, head)
    // No client may send more before its upgrade was answered, so one behind another response is
    // not worth a queue.
    if (pendingResponse(socket)) return void socket.destroy()
    upgrades.emit('upgrade', request, socket, head)
  })

  function giveBack(request: IncomingMessage, socket: Socket, head: Buffer) {
    const pending = pendingResponse(socket)
    if (pending) {
      // Pipelined: Node would forget the response in front of it.
      socket.pause()
      socket.on('error', () => socket.destroy())
      pending.once('close', () => setImmediate(giveBack, request, socket, head))
      return
    }
    const { method, url, httpVersion, rawHeaders } = request
    // Without the length of its body, the body would be read as another request.
    if (rawHeaders.length > 2 * maxHeaders) return void socket.destroy()
    if (socket.destroyed) return
    const lines = [`${method} ${url} HTTP/${httpVersion}`]
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] ?? ''
      if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${rawHeaders[i + 1]}`)
    }
    const text = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    socket.unshift(Buffer.concat([text, head]))
    server.emit('connection', socket)
    socket.resume()
  }

  return upgrades
}

function pendingResponse(socket: Socket): ServerResponse | null | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage
}

/**
 * To be called in a `wsHandler`: the request is over for the request log and the drain, and the
 * objects that belong to it can be freed.
 */
export function completeUpgrade(socket: WebSocket, response: ServerResponse): void {
  // The plugin's listener keeps the request. `ws` closes the socket by itself after an error.
  socket.removeAllListeners('error')
  socket.on('error', ignore)
  response.statusCode = 101
  if (response.socket) response.detachSocket(response.socket)
  response.emit('close')
}

function ignore() {}
