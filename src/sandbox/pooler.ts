// A connection pooler in front of a Postgres, with the rules of PgBouncer: unknown start-up
// parameters are refused, and in transaction mode a server connection is a client's only until its
// transaction ends. For tests on machines without PgBouncer.

import { createServer, type Socket } from 'node:net'
import pg from 'pg'
import { findFreePort } from './ports.ts'

export type PoolMode = 'session' | 'transaction'

export interface PoolerOptions {
  /** The server behind it: user, password and database are the pooler's own. */
  url: string
  mode: PoolMode
  /** At most so many connections to the server; further clients wait. */
  poolSize?: number
}

interface ServerConnection {
  socket: Socket
  /**
   * The client that has it now; what the server sends without one is lost, such as notifications.
   */
  client: Client | undefined
  rest: Buffer
}

interface Client {
  socket: Socket
  server: ServerConnection | undefined
  waiting: Buffer[]
  /** Statements sent whose end the server has not reported. */
  open: number
}

const acceptedParameters = new Set([
  ...['user', 'database', 'application_name', 'client_encoding', 'datestyle', 'timezone'],
  'standard_conforming_strings',
])

export async function openPooler({ url, mode, poolSize = 20 }: PoolerOptions) {
  let currentMode = mode
  const clients = new Set<Client>()
  /** The last used one first, as PgBouncer takes them. */
  const idle: ServerConnection[] = []
  const servers = new Set<ServerConnection>()
  let opening = 0
  const queue: Client[] = []

  const listener = createServer((socket) => {
    const client: Client = { socket, server: undefined, waiting: [], open: 0 }
    clients.add(client)
    let received = Buffer.alloc(0)
    let isStarted = false
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => dropClient(client))
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes])
      for (;;) {
        const typeBytes = isStarted ? 1 : 0
        if (received.length < typeBytes + 4) return
        const size = typeBytes + received.readUInt32BE(typeBytes)
        if (received.length < size) return
        const message = received.subarray(0, size)
        received = received.subarray(size)
        if (isStarted) take(client, message)
        else isStarted = start(socket, message)
      }
    })
  })

  /** Query and Sync are what a server ends with ReadyForQuery. */
  function take(client: Client, message: Buffer): void {
    const type = String.fromCharCode(message[0] ?? 0)
    if (type === 'X') return void client.socket.end()
    if (type === 'Q' || type === 'S') client.open += 1
    if (client.server) return void client.server.socket.write(message)
    client.waiting.push(message)
    if (!queue.includes(client)) queue.push(client)
    assign()
  }

  function assign(): void {
    while (queue.length > 0) {
      const server = idle.shift()
      if (!server) {
        if (servers.size + opening < poolSize) void openServer()
        return
      }
      const client = queue.shift()
      if (!client || client.socket.destroyed) {
        idle.unshift(server)
        continue
      }
      server.client = client
      client.server = server
      for (const message of client.waiting.splice(0)) server.socket.write(message)
    }
  }

  /** The driver signs in, then its socket carries the clients' messages. */
  async function openServer(): Promise<void> {
    opening += 1
    const driver = new pg.Client({ connectionString: url })
    driver.on('error', () => undefined)
    await driver.connect().finally(() => {
      opening -= 1
    })
    const { stream } = (driver as unknown as { connection: { stream: Socket } }).connection
    stream.removeAllListeners('data')
    const server: ServerConnection = { socket: stream, client: undefined, rest: Buffer.alloc(0) }
    servers.add(server)
    stream.on('data', (bytes: Buffer) => forward(server, bytes))
    stream.on('close', () => {
      servers.delete(server)
      const at = idle.indexOf(server)
      if (at >= 0) idle.splice(at, 1)
      server.client?.socket.destroy()
    })
    idle.unshift(server)
    assign()
  }

  function forward(server: ServerConnection, bytes: Buffer): void {
    server.rest = Buffer.concat([server.rest, bytes])
    while (server.rest.length >= 5) {
      const size = 1 + server.rest.readUInt32BE(1)
      if (server.rest.length < size) return
      const message = server.rest.subarray(0, size)
      server.rest = server.rest.subarray(size)
      const { client } = server
      client?.socket.write(message)
      if (!client || message[0] !== 0x5a) continue
      client.open -= 1
      const isInTransaction = message[5] !== 0x49
      if (currentMode === 'session' || isInTransaction || client.open > 0) continue
      client.server = undefined
      server.client = undefined
      idle.unshift(server)
      assign()
    }
  }

  /** PgBouncer would reset the session of a client that left; a new one is as clean. */
  function dropClient(client: Client): void {
    clients.delete(client)
    client.server?.socket.destroy()
  }

  const port = await findFreePort()
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(port, '127.0.0.1', resolve)
  })
  const address = new URL(url)
  address.host = `127.0.0.1:${port}`
  return {
    url: address.href,
    /** For connections from now on; the open ones end. */
    changeMode(next: PoolMode): void {
      currentMode = next
      for (const { socket } of clients) socket.destroy()
    },
    async close(): Promise<void> {
      const closed = new Promise((resolve) => listener.close(resolve))
      for (const { socket } of [...clients, ...servers]) socket.destroy()
      await closed
    },
  }
}

const sslRequest = 80_877_103

/** Answers a request for TLS or a start; true when messages follow. */
function start(socket: Socket, message: Buffer): boolean {
  if (message.readUInt32BE(4) === sslRequest) {
    socket.write('N')
    return false
  }
  const words = message.subarray(8).toString().split('\0')
  const names = words.filter((word, index) => index % 2 === 0 && word !== '')
  const unknown = names.find((name) => !acceptedParameters.has(name))
  if (unknown !== undefined) {
    socket.end(errorMessage('08P01', `unsupported startup parameter: ${unknown}`))
    return false
  }
  const parameters = { server_version: '18.0', client_encoding: 'UTF8', TimeZone: 'UTC' }
  socket.write(
    Buffer.concat([
      frame('R', Buffer.from([0, 0, 0, 0])),
      ...Object.entries(parameters).map((pair) => frame('S', text(...pair))),
      frame('K', Buffer.from([0, 0, 0, 1, 0, 0, 0, 2])),
      frame('Z', Buffer.from('I')),
    ]),
  )
  return true
}

const text = (...words: string[]) => Buffer.from(words.map((word) => `${word}\0`).join(''))

function errorMessage(code: string, message: string): Buffer {
  return frame('E', text('SFATAL', 'VFATAL', `C${code}`, `M${message}`, ''))
}

function frame(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
