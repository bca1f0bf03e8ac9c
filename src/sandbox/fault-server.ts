// The HTTP front that every small server of the sandbox has: a port that can go down and come back,
// a journal of what was asked, and faults on demand (an error, a stall, a cut), so that a test
// drives the outside world step by step instead of sleeping.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { findFreePort } from './ports.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** One request as the journal keeps it. */
export interface RecordedRequest {
  readonly method: string
  /** Decoded, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** Undefined until it is answered; stays so when the connection was cut first. */
  status: number | undefined
  /** Whether the exchange is over, in whatever way. */
  isFinished: boolean
}

export type RequestPredicate = (seen: RecordedRequest) => boolean

export type Fault =
  /** Answered with this status; the store is not touched. */
  | { kind: 'status'; status: number; body?: string }
  /** Held before the store sees it, until `release`. */
  | { kind: 'stall' }
  /**
   * The store does its work, the connection breaks after that many bytes of the answer's body. 0:
   * not even the status arrives.
   */
  | { kind: 'cut response'; afterBytes?: number }
  /** The connection breaks after that many bytes of the request's body; the store sees nothing. */
  | { kind: 'cut request'; afterBytes?: number }

export interface FaultOptions {
  /** How many requests it hits; default 1. */
  times?: number
  match?: RequestPredicate
}

export interface ActiveFault {
  /** The requests that it has hit so far. */
  readonly hits: RecordedRequest[]
  /** Lets go what is stalled and hits nothing more. */
  release(): void
}

export type FaultServer = Awaited<ReturnType<typeof openFaultServer>>

/** Listens on 127.0.0.1; a given port that is taken rejects. */
export async function openFaultServer({
  port: wanted,
  handle,
}: {
  port?: number | undefined
  handle: Handler
}) {
  const requests: RecordedRequest[] = []
  const faults: (ActiveFault & {
    fault: Fault
    left: number
    match: RequestPredicate
    held: Promise<void>
  })[] = []
  const waiting = new Set<() => void>()

  const server = createServer((request, response) => {
    const seen = readSeen(request)
    requests.push(seen)
    response.once('close', () => {
      seen.isFinished = true
      if (response.writableFinished) seen.status = response.statusCode
      for (const check of waiting) check()
    })
    for (const check of waiting) check()
    const active = faults.find(({ left, match }) => left > 0 && match(seen))
    if (active) {
      active.left--
      active.hits.push(seen)
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
      // Read to its end first: many clients notice the answer to an unfinished upload only as a
      // broken pipe.
      for await (const _ of request);
      response
        .writeHead(fault.status, { 'content-type': 'text/plain' })
        .end(fault.body ?? 'a fault made for a test\n')
      return
    }
    if (fault?.kind === 'cut request') {
      let left = fault.afterBytes ?? 0
      if (left <= 0) socket.destroy()
      request.on('data', (chunk: Buffer) => {
        left -= chunk.length
        if (left <= 0) socket.destroy()
      })
      return
    }
    if (fault?.kind === 'stall') await active?.held
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
    // Clients in this very process learn of it in the next turns of the loop; until then they would
    // still use a dead connection.
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  }

  const isTaken = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  let port = wanted ?? (await findFreePort())
  for (let attempt = 1; !server.listening; attempt++) {
    await listen(port).catch(async (error) => {
      if (!isTaken(error) || wanted !== undefined || attempt === 10) throw error
      port = await findFreePort()
    })
  }

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    /** Everything that was asked, in order. */
    requests,
    /** Refuses and cuts connections until `up`. Faults end with it. */
    down,
    /** Back on the same port. */
    up: () => listen(port),
    /**
     * The next requests that match fail in this way. Faults hit in the order in which they were
     * made.
     */
    injectFault(fault: Fault, { times = 1, match = () => true }: FaultOptions = {}): ActiveFault {
      const hits: RecordedRequest[] = []
      let letGo = () => {}
      const held = new Promise<void>((resolve) => (letGo = resolve))
      const active = {
        ...{ fault, match, held, hits, left: times },
        release() {
          active.left = 0
          letGo()
        },
      }
      faults.push(active)
      return active
    },
    /**
     * Resolves with the first `count` requests that match, those already made included; rejects
     * after `withinMs`.
     */
    async waitFor(
      match: RequestPredicate,
      { count = 1, withinMs = 10_000 }: { count?: number; withinMs?: number } = {},
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

function readSeen(request: IncomingMessage): RecordedRequest {
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
  let left = bytes
  const write = response.write.bind(response)
  // destroySoon lets out what was written, destroy nothing.
  const cut = () => (bytes === 0 ? response.socket?.destroy() : response.socket?.destroySoon())
  const pass = (chunk: string | Uint8Array) => {
    if (left > 0) write(Buffer.from(chunk).subarray(0, left))
    left -= Buffer.byteLength(chunk)
    if (left <= 0) cut()
    return true
  }
  response.write = pass as typeof response.write
  response.end = ((chunk?: unknown) => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) pass(chunk)
    cut()
    return response
  }) as typeof response.end
}
