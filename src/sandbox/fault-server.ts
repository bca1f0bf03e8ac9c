// An HTTP server for the sandbox's store and token issuer. It records requests, can go down and
// come back on its port, and fails on demand, so that tests control the outside world without
// sleeping.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { findFreePort } from './ports.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

export interface RecordedRequest {
  readonly method: string
  /** Decoded, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** Undefined until the whole response is sent, and for good when the connection breaks first. */
  status: number | undefined
  /** The response is sent, or the connection has closed. */
  isFinished: boolean
}

export type RequestPredicate = (request: RecordedRequest) => boolean

export type Fault =
  /** Responds with this status; the handler does not run. */
  | { kind: 'status'; status: number; body?: string; headers?: Record<string, string> }
  /** Holds the request before the handler runs, until `release`. */
  | { kind: 'stall' }
  /**
   * The handler runs, then the connection closes after that many bytes of the response body. 0: the
   * client gets not even the status.
   */
  | { kind: 'cut response'; afterBytes?: number }
  /** Closes the connection after that many bytes of the request body. The handler does not run. */
  | { kind: 'cut request'; afterBytes?: number }

export interface FaultOptions {
  /** How many requests fail; default 1. */
  times?: number
  match?: RequestPredicate
}

export interface ActiveFault {
  /** The requests that have failed so far. */
  readonly hits: RecordedRequest[]
  /** Ends the fault and continues the requests that it holds. */
  release(): void
}

export type FaultServer = Awaited<ReturnType<typeof openFaultServer>>

/** Listens on 127.0.0.1. Rejects when the requested port is taken. */
export async function openFaultServer({
  port: requestedPort,
  handle,
}: {
  port?: number | undefined
  handle: Handler
}) {
  const requests: RecordedRequest[] = []
  const faults: (ActiveFault & {
    fault: Fault
    remaining: number
    match: RequestPredicate
    released: Promise<void>
  })[] = []
  const waiting = new Set<() => void>()

  const server = createServer((request, response) => {
    const recorded = record(request)
    requests.push(recorded)
    response.once('close', () => {
      recorded.isFinished = true
      if (response.writableFinished) recorded.status = response.statusCode
      for (const check of waiting) check()
    })
    for (const check of waiting) check()
    const active = faults.find(({ remaining, match }) => remaining > 0 && match(recorded))
    if (active) {
      active.remaining--
      active.hits.push(recorded)
    }
    const { socket } = request
    void serve(request, response, active).catch(() => socket.destroy())
  })
  server.keepAliveTimeout = 30_000

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    active: (typeof faults)[number] | undefined,
  ) {
    const fault = active?.fault
    const { socket } = request
    if (fault?.kind === 'status') {
      // Read the request first: many clients report a response to an unfinished upload as EPIPE.
      for await (const _ of request);
      response
        .writeHead(fault.status, { 'content-type': 'text/plain', ...fault.headers })
        .end(fault.body ?? 'injected fault\n')
      return
    }
    if (fault?.kind === 'cut request') {
      let remainingBytes = fault.afterBytes ?? 0
      if (remainingBytes <= 0) socket.destroy()
      request.on('data', (chunk: Buffer) => {
        remainingBytes -= chunk.length
        if (remainingBytes <= 0) socket.destroy()
      })
      return
    }
    if (fault?.kind === 'stall') await active?.released
    if (fault?.kind === 'cut response') cutAfter(response, fault.afterBytes ?? 0)
    if (!response.destroyed) await handle(request, response)
  }

  async function listen(port: number) {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  }

  async function down() {
    for (const fault of faults) fault.release()
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
    // HTTP clients in this process notice the closed sockets in the next iterations of the event
    // loop. Before that they would still send requests on them.
    for (let iteration = 0; iteration < 5; iteration++) await new Promise(setImmediate)
  }

  const isTaken = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  let port = requestedPort ?? (await findFreePort())
  for (let attempt = 1; !server.listening; attempt++) {
    await listen(port).catch(async (error) => {
      if (!isTaken(error) || requestedPort !== undefined || attempt === 10) throw error
      port = await findFreePort()
    })
  }

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    /** All requests so far, in order. */
    requests,
    /** Closes all connections and refuses new ones until `up`. Ends all faults. */
    down,
    /** Listens on the same port again. */
    up: () => listen(port),
    /** The next matching requests fail. Of several faults the oldest one applies. */
    injectFault(fault: Fault, { times = 1, match = () => true }: FaultOptions = {}): ActiveFault {
      const { promise: released, resolve } = createDeferred()
      const active = {
        fault,
        match,
        released,
        hits: [],
        remaining: times,
        release() {
          active.remaining = 0
          resolve()
        },
      }
      faults.push(active)
      return active
    },
    /**
     * Resolves with the first `count` matching requests, earlier ones included. Rejects after
     * `withinMs`.
     */
    async waitFor(
      match: RequestPredicate,
      { count = 1, withinMs = 30_000 }: { count?: number; withinMs?: number } = {},
    ): Promise<RecordedRequest[]> {
      const found = () => requests.filter(match).slice(0, count)
      if (found().length === count) return found()
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check)
          reject(new Error(`${found().length} of ${count} expected requests within ${withinMs} ms`))
        }, withinMs)
        function check() {
          if (found().length < count) return
          clearTimeout(timer)
          waiting.delete(check)
          resolve(found())
        }
        waiting.add(check)
      })
    },
    close: down,
  }
}

function createDeferred() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

function record(request: IncomingMessage): RecordedRequest {
  const url = new URL(request.url ?? '/', 'http://sandbox')
  return {
    method: request.method ?? '',
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    headers: request.headers,
    status: undefined,
    isFinished: false,
  }
}

function cutAfter(response: ServerResponse, bytes: number) {
  let remainingBytes = bytes
  const write = response.write.bind(response)
  // destroySoon sends what was written before; destroy sends nothing.
  const cut = () => (bytes === 0 ? response.socket?.destroy() : response.socket?.destroySoon())
  const writeUntilCut = (chunk: string | Uint8Array) => {
    if (remainingBytes > 0) write(Buffer.from(chunk).subarray(0, remainingBytes))
    remainingBytes -= Buffer.byteLength(chunk)
    if (remainingBytes <= 0) cut()
    return true
  }
  response.write = writeUntilCut as typeof response.write
  response.end = ((chunk?: unknown) => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) writeUntilCut(chunk)
    cut()
    return response
  }) as typeof response.end
}
