// An attacker as a process of its own, so that it does not slow the bench. It attacks only
// 127.0.0.1, sends at most 50,000 requests and exits after a minute. A request to its own address
// returns its counts. The benchmark `attacks` starts it.
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type Attack, attacks } from './attack-kinds.ts'

const { TARGET = '', KIND = '', CONNECTIONS = '1', TOKEN = '' } = process.env
const target = new URL(TARGET)
if (target.hostname !== '127.0.0.1') throw new Error('TARGET must be on 127.0.0.1.')
const attack = attacks.find(({ name }) => name === KIND)
if (!attack) throw new Error(`KIND ${KIND} is not the name of an attack.`)

const maxRequests = 50_000
const maxRunTimeMs = 60_000
const counts = { open: 0, closed: 0, sent: 0, responses: {} as Record<string, number> }
setTimeout(() => process.exit(0), maxRunTimeMs).unref()

const requests = attack.requests.map((bytes) =>
  Buffer.from(bytes.replaceAll('{token}', TOKEN), 'latin1'),
)

function openConnection(onOpen: (socket: Socket) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      counts.closed += 1
      resolve()
    })
    socket.once('connect', () => {
      counts.open += 1
      socket.once('close', () => (counts.open -= 1))
      onOpen(socket)
      resolve()
    })
  })
}

/** Counts a response by its status. Returns false for bytes without a status line. */
function countResponse(bytes: Buffer): boolean {
  const status = /HTTP\/1\.1 (\d{3})/.exec(bytes.toString('latin1', 0, 200))?.[1]
  if (status !== undefined) counts.responses[status] = (counts.responses[status] ?? 0) + 1
  return status !== undefined
}

/** Starts a request and continues it slowly. */
function hold(socket: Socket, { drip, dripIntervalMs = 1_000 }: Attack): void {
  const [start] = requests
  if (start) socket.write(start)
  counts.sent += 1
  socket.on('data', countResponse)
  if (drip === undefined) return
  const timer = setInterval(() => socket.write(drip), dripIntervalMs)
  socket.once('close', () => clearInterval(timer))
}

/** Sends a request after each response, and reconnects when the gateway closes the connection. */
function flood(socket: Socket): void {
  let isEnded = false
  function send(): void {
    const bytes = requests[counts.sent % requests.length]
    if (!bytes || counts.sent >= maxRequests || isEnded) return
    counts.sent += 1
    socket.write(bytes)
  }
  socket.on('data', (bytes: Buffer) => countResponse(bytes) && send())
  socket.once('end', () => (isEnded = true))
  socket.once('close', () => counts.sent < maxRequests && void openConnection(flood))
  send()
}

const wanted = Number(CONNECTIONS)
for (let opened = 0; opened < wanted; opened += 100)
  await Promise.all(
    Array.from({ length: Math.min(100, wanted - opened) }, () =>
      openConnection((socket) => (attack.isFlood ? flood(socket) : hold(socket, attack))),
    ),
  )

const server = createServer((_, response) => response.end(JSON.stringify(counts))).listen(
  0,
  '127.0.0.1',
  () => {
    const { port } = server.address() as AddressInfo
    console.log(JSON.stringify({ msg: 'listening', address: `http://127.0.0.1:${port}` }))
  },
)
