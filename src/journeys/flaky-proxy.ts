// A proxy that fails for its first requests, as those on the way to a gateway do, and then
// forwards.

import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A page of the proxy with this status; the connection broken before or within the response. */
export type ProxyFailure = number | 'reset' | 'cut response'

export async function openFlakyProxy(target: string, failures: ProxyFailure[]) {
  const paths: string[] = []
  const server = createServer((incoming, outgoing) => {
    const failure = failures[paths.length]
    paths.push(incoming.url ?? '')
    const page = '<html>\n\n<h1>Gateway Timeout</h1>\n\n</html>'
    if (failure === 'reset') return void incoming.socket.resetAndDestroy()
    if (typeof failure === 'number')
      return void outgoing.writeHead(failure, { 'content-type': 'text/html' }).end(page)
    const { method, headers, url } = incoming
    const forwarded = request(new URL(url ?? '', target), { method, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers)
      outgoing.flushHeaders()
      // The gateway has done its part; the client does not learn of it.
      if (failure === 'cut response') return void outgoing.destroy()
      response.pipe(outgoing)
    })
    forwarded.on('error', () => outgoing.destroy())
    outgoing.once('close', () => forwarded.destroy())
    incoming.pipe(forwarded)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Of all requests so far. */
    paths,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
