// The network between a test's gateway and what it leans on: a TCP proxy whose connections are cut,
// left hanging half-open, delayed or refused on demand.

import { createServer, connect as dial, type Socket } from 'node:net'
import { findFreePort } from './ports.ts'

export interface TcpProxyOptions {
  /** Where connections go on to. */
  port: number
  host?: string
}

/** Looks at each piece of bytes from a client before it goes on; what it returns decides. */
export type Inspect = (bytes: Buffer) => 'pass' | 'cut' | 'cut-after-response'

export type TcpProxy = Awaited<ReturnType<typeof openTcpProxy>>

interface ProxiedConnection {
  client: Socket
  server: Socket
  /** Nothing passes any more, in either direction, and nobody is told. */
  isSilent: boolean
  cutAtAnswer: boolean
  /** What the server said while answers are held. */
  held: Buffer[]
}

export async function openTcpProxy({ port: target, host = '127.0.0.1' }: TcpProxyOptions) {
  const lines = new Set<ProxiedConnection>()
  let delayMs = 0
  let isBlackHole = false
  let isHeld = false
  let inspect: Inspect = () => 'pass'
  let accepted = 0

  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted += 1
    const line: ProxiedConnection = {
      client,
      server: dial({ port: target, host, allowHalfOpen: true }),
      isSilent: isBlackHole,
      cutAtAnswer: false,
      held: [],
    }
    lines.add(line)
    for (const socket of [line.client, line.server]) {
      socket.setNoDelay(true)
      // What breaks on one side breaks on the other, save where the network between them is gone.
      socket.on('error', () => undefined)
      socket.once('close', () => {
        if (!line.isSilent && !isHeld) cutLine(line)
      })
    }
    pass(line, client, line.server, (bytes) => {
      const verdict = inspect(bytes)
      if (verdict === 'cut') cutLine(line)
      if (verdict === 'cut-after-response') line.cutAtAnswer = true
      return verdict !== 'cut'
    })
    pass(line, line.server, client, (bytes) => {
      if (line.cutAtAnswer) cutLine(line)
      if (isHeld) line.held.push(bytes)
      return !line.cutAtAnswer && !isHeld
    })
  })

  function pass(
    line: ProxiedConnection,
    from: Socket,
    to: Socket,
    allows: (bytes: Buffer) => boolean,
  ) {
    from.on('data', (bytes: Buffer) => {
      if (line.isSilent || !allows(bytes)) return
      const write = () => {
        if (line.isSilent || to.destroyed || to.write(bytes)) return
        from.pause()
        to.once('drain', () => from.resume())
      }
      if (delayMs > 0) setTimeout(write, delayMs)
      else write()
    })
    from.on('end', () => {
      if (!line.isSilent && !isHeld) to.end()
    })
  }

  function cutLine(line: ProxiedConnection) {
    lines.delete(line)
    for (const socket of [line.client, line.server]) if (!socket.destroyed) socket.resetAndDestroy()
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
    const count = lines.size
    for (const line of lines) cutLine(line)
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
    /** The same URL with the proxy's address in it. */
    through(url: string): string {
      const changed = new URL(url)
      changed.hostname = '127.0.0.1'
      changed.port = String(port)
      return changed.href
    },
    get connections() {
      return lines.size
    },
    /** All that were ever made. */
    get accepted() {
      return accepted
    },
    /** Resets every connection; returns how many. New ones pass. */
    cut,
    /**
     * From now on nothing passes over the connections that are there, and neither end hears of it.
     * New ones pass, unless `newToo`.
     */
    stall({ includeNew = false }: { includeNew?: boolean } = {}): void {
      for (const line of lines) line.isSilent = true
      isBlackHole = includeNew
    },
    /** New connections pass again; the silent ones are dead for good, and both ends learn of it. */
    resetStalled(): void {
      isBlackHole = false
      for (const line of lines) if (line.isSilent) cutLine(line)
    },
    /** From now on answers are kept back; `letGo` sends all of them on in one piece. */
    holdResponses(): void {
      isHeld = true
    },
    releaseResponses(): void {
      isHeld = false
      for (const { client, held } of lines) client.write(Buffer.concat(held.splice(0)))
    },
    /** How many bytes are kept back. */
    get heldBytes() {
      return [...lines].reduce(
        (sum, { held }) => sum + held.reduce((bytes, piece) => bytes + piece.length, 0),
        0,
      )
    },
    /** Everything takes so much longer, each way. */
    delay(ms: number): void {
      delayMs = ms
    },
    /** Lets a test decide at each piece from a client; without one all pass. */
    inspect(look: Inspect = () => 'pass'): void {
      inspect = look
    },
    /** Refuses connections, after those that are there were reset. */
    down,
    up: () => listen(port),
    close: down,
  }
}
