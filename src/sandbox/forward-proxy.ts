// A forward proxy as companies have them: absolute URLs for http, CONNECT for https. It leads every
// name to `target`, so that tests need no DNS, and records what it was asked for.

import { createServer, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface ForwardProxyOptions {
  /** Where all requests go. */
  target: { port: number }
  /** "name:password"; without it the proxy asks for none. */
  login?: string
}

export type ForwardProxy = Awaited<ReturnType<typeof openForwardProxy>>

export async function openForwardProxy({ target, login }: ForwardProxyOptions) {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((incoming, response) => {
    requests.push(`${incoming.method} ${incoming.url}`)
    if (!mayPass(incoming)) return void response.writeHead(407).end()
    const { pathname, search } = new URL(incoming.url ?? '')
    const outgoing = request(
      { host: '127.0.0.1', ...target, path: pathname + search },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    outgoing.on('error', () => response.writeHead(502).end())
    outgoing.end()
  })

  server.on('connect', (incoming: IncomingMessage, socket: Socket) => {
    requests.push(`CONNECT ${incoming.url}`)
    socket.on('error', () => socket.destroy())
    if (!mayPass(incoming)) return void socket.end('HTTP/1.1 407 Login required\r\n\r\n')
    const outgoing = connect({ host: '127.0.0.1', ...target }, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.pipe(outgoing).pipe(socket)
    })
    sockets.add(outgoing)
    outgoing.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
  })
  server.on('connection', (socket) => sockets.add(socket))

  function mayPass({ headers }: IncomingMessage): boolean {
    const expected = login && `Basic ${Buffer.from(login).toString('base64')}`
    return !expected || headers['proxy-authorization'] === expected
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://${login ? `${login}@` : ''}127.0.0.1:${port}`,
    /** Each with its method and target, as the proxy was asked. */
    requests,
    /** For proxies that accept connections and never respond. */
    stall: () => void server.removeAllListeners('connect').on('connect', () => undefined),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
