// A TCP proxy between a test's gateway and its database or store. A test can make the network fail:
// reset, stall, delay or refuse connections, and hold responses back.

import { connect, createServer, type Socket } from 'node:net'
import { findFreePort } from './ports.ts'

export interface TcpProxyOptions {
  /** Of the server behind the proxy. */
  port: number
  host?: string
}

/** Decides what happens to a chunk from a client, and to its connection. */
export type Inspect = (bytes: Buffer) => 'pass' | 'cut' | 'cut-after-response'

export type TcpProxy = Awaited<ReturnType<typeof openTcpProxy>>

interface ProxiedConnection {
  client: Socket
  server: Socket
  /** Drops the bytes of both directions without closing either side. */
  isStalled: boolean
  cutAtResponse: boolean
  /** Chunks from the server that came while responses were held. */
  held: Buffer[]
}

export async function openTcpProxy({ port: target, host = '127.0.0.1' }: TcpProxyOptions) {
  const connections = new Set<ProxiedConnection>()
  let delayMs = 0
  let stallsNew = false
  let holdsResponses = false
  let inspect: Inspect = () => 'pass'
  let accepted = 0

  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted += 1
    const connection: ProxiedConnection = {
      client,
      server: connect({ port: target, host, allowHalfOpen: true }),
      isStalled: stallsNew,
      cutAtResponse: false,
      held: [],
    }
    connections.add(connection)
    for (const socket of [connection.client, connection.server]) {
      socket.setNoDelay(true)
      // An error on one side resets the other side, too, except on a stalled connection.
      socket.on('error', () => undefined)
      socket.once('close', () => {
        if (!connection.isStalled && !holdsResponses) resetConnection(connection)
      })
    }
    forward(connection, client, connection.server, (bytes) => {
      const verdict = inspect(bytes)
      if (verdict === 'cut') resetConnection(connection)
      if (verdict === 'cut-after-response') connection.cutAtResponse = true
      return verdict !== 'cut'
    })
    forward(connection, connection.server, client, (bytes) => {
      if (connection.cutAtResponse) resetConnection(connection)
      if (holdsResponses) connection.held.push(bytes)
      return !connection.cutAtResponse && !holdsResponses
    })
  })

  function forward(
    connection: ProxiedConnection,
    from: Socket,
    to: Socket,
    allows: (bytes: Buffer) => boolean,
  ) {
    from.on('data', (bytes: Buffer) => {
      if (connection.isStalled || !allows(bytes)) return
      const write = () => {
        if (connection.isStalled || to.destroyed || to.write(bytes)) return
        from.pause()
        to.once('drain', () => from.resume())
      }
      if (delayMs > 0) setTimeout(write, delayMs)
      else write()
    })
    from.on('end', () => {
      if (!connection.isStalled && !holdsResponses) to.end()
    })
  }

  function resetConnection(connection: ProxiedConnection) {
    connections.delete(connection)
    for (const socket of [connection.client, connection.server])
      if (!socket.destroyed) socket.resetAndDestroy()
  }

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })

  function cut(): number {
    const count = connections.size
    for (const connection of connections) resetConnection(connection)
    return count
  }

  async function down() {
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    cut()
    await closed
  }

  const port = await findFreePort()
  await listen(port)
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    /** The same URL with the proxy's host and port. */
    through(url: string): string {
      const changed = new URL(url)
      changed.hostname = '127.0.0.1'
      changed.port = String(port)
      return changed.href
    },
    get connections() {
      return connections.size
    },
    /** How many connections the proxy has accepted so far. */
    get accepted() {
      return accepted
    },
    /** Resets every connection and returns their number. New connections work. */
    cut,
    /**
     * From now on the open connections drop all bytes, and neither side notices. New connections
     * work unless `includeNew`.
     */
    stall({ includeNew = false }: { includeNew?: boolean } = {}): void {
      for (const connection of connections) connection.isStalled = true
      stallsNew = includeNew
    },
    /** Resets the stalled connections on both sides. New connections work again. */
    resetStalled(): void {
      stallsNew = false
      for (const connection of connections) if (connection.isStalled) resetConnection(connection)
    },
    /** From now on the proxy holds all responses back until `releaseResponses`. */
    holdResponses(): void {
      holdsResponses = true
    },
    /** Sends the held responses of each connection in one chunk. */
    releaseResponses(): void {
      holdsResponses = false
      for (const { client, held } of connections) client.write(Buffer.concat(held.splice(0)))
    },
    /** How many bytes are held back. */
    get heldBytes() {
      return [...connections].reduce(
        (sum, { held }) => sum + held.reduce((bytes, piece) => bytes + piece.length, 0),
        0,
      )
    },
    /** Delays every chunk in both directions. */
    delay(ms: number): void {
      delayMs = ms
    },
    /** Calls `decide` for each chunk from a client. Without it every chunk passes. */
    inspect(decide: Inspect = () => 'pass'): void {
      inspect = decide
    },
    /** Resets the open connections and refuses new ones until `up`. */
    down,
    up: async () => void (server.listening || (await listen(port))),
    close: down,
  }
}
