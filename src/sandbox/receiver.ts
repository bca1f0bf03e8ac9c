// A receiver of webhooks: records what it gets, and responds as a test tells it to.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Certificate } from './certificate.ts'

export interface Received {
  path: string
  headers: Record<string, string>
  body: string
  /** Of the clock of this process. */
  atMs: number
}

/** Status, headers; or what to do with the response. Never responds: `() => undefined`. */
export type Respond =
  | { status: number; headers?: Record<string, string> }
  | ((response: ServerResponse, request: IncomingMessage) => void)

export interface ReceiverOptions {
  host?: string
  port?: number
  certificate?: Certificate
}

export type Receiver = Awaited<ReturnType<typeof openReceiver>>

const waitMs = 60_000

export async function openReceiver({
  host = '127.0.0.1',
  port: wantedPort = 0,
  certificate,
}: ReceiverOptions = {}) {
  const received: Received[] = []
  const listeners = new Set<() => void>()
  /** The responses to the next requests; afterwards 204. */
  const script: Respond[] = []
  let fallback: Respond = { status: 204 }
  let open = 0
  let mostOpen = 0

  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    open += 1
    mostOpen = Math.max(mostOpen, open)
    response.once('close', () => {
      open -= 1
    })
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({
        path: request.url ?? '',
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString(),
        atMs: performance.now(),
      })
      const respond = script.shift() ?? fallback
      if (typeof respond === 'function') respond(response, request)
      else response.writeHead(respond.status, respond.headers).end()
      for (const listener of listeners) listener()
    })
  }
  const server = certificate ? createTlsServer(certificate, onRequest) : createServer(onRequest)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(wantedPort, host, resolve)
  })
  const { port } = server.address() as AddressInfo

  return {
    host,
    port,
    url: `${certificate ? 'https' : 'http'}://${host}:${port}`,
    received,
    script,
    /** For all requests without a scripted response. */
    respondWith(respond: Respond) {
      fallback = respond
    },
    mostOpen: () => mostOpen,
    /** Resolves with the first `count` requests, once they have come. */
    waitFor(count: number): Promise<Received[]> {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          listeners.delete(check)
          reject(new Error(`The receiver got ${received.length} of ${count} requests.`))
        }, waitMs)
        function check() {
          if (received.length < count) return
          clearTimeout(timer)
          listeners.delete(check)
          resolve(received.slice(0, count))
        }
        listeners.add(check)
        check()
      })
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
