// An attacker as a process of its own, so that what measures is not slowed by it. It holds
// connections that begin something and feed it byte by byte, or asks without end on each; only of
// 127.0.0.1, so many times at the most, and it ends itself after a minute. `GET` on its own address
// tells what came of it. Without a target of its own: a part of `attacks`.
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type Attack, attacks } from './attack-kinds.ts'

const { TARGET = '', KIND = '', CONNECTIONS = '1', TOKEN = '' } = process.env
const target = new URL(TARGET)
if (target.hostname !== '127.0.0.1') throw new Error('Only 127.0.0.1 is attacked.')
const attack = attacks.find(({ name }) => name === KIND)
if (!attack) throw new Error(`No attack is called ${KIND}.`)

const mostRequests = 50_000
const lifeMs = 60_000
const tally = { open: 0, closed: 0, sent: 0, answers: {} as Record<string, number> }
setTimeout(() => process.exit(0), lifeMs).unref()

const requests = attack.requests.map((bytes) =>
  Buffer.from(bytes.replaceAll('{token}', TOKEN), 'latin1'),
)

function open(onOpen: (socket: Socket) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      tally.closed += 1
      resolve()
    })
    socket.once('connect', () => {
      tally.open += 1
      socket.once('close', () => (tally.open -= 1))
      onOpen(socket)
      resolve()
    })
  })
}

function note(answer: Buffer): boolean {
  const status = /HTTP\/1\.1 (\d{3})/.exec(answer.toString('latin1', 0, 200))?.[1]
  if (status !== undefined) tally.answers[status] = (tally.answers[status] ?? 0) + 1
  return status !== undefined
}

/** Begins a request and goes on with it, a little at a time. */
function hold(socket: Socket, { drip, everyMs = 1_000 }: Attack): void {
  const [begun] = requests
  if (begun) socket.write(begun)
  tally.sent += 1
  socket.on('data', note)
  if (drip === undefined) return
  const timer = setInterval(() => socket.write(drip), everyMs)
  socket.once('close', () => clearInterval(timer))
}

/**
 * The next request as soon as the one before is answered, on a new connection when the old one is
 * ended.
 */
function ask(socket: Socket): void {
  let isEnded = false
  function send(): void {
    const bytes = requests[tally.sent % requests.length]
    if (!bytes || tally.sent >= mostRequests || isEnded) return
    tally.sent += 1
    socket.write(bytes)
  }
  socket.on('data', (answer: Buffer) => note(answer) && send())
  socket.once('end', () => (isEnded = true))
  socket.once('close', () => tally.sent < mostRequests && void open(ask))
  send()
}

const wanted = Number(CONNECTIONS)
for (let begun = 0; begun < wanted; begun += 100)
  await Promise.all(
    Array.from({ length: Math.min(100, wanted - begun) }, () =>
      open((socket) => (attack.isFlood ? ask(socket) : hold(socket, attack))),
    ),
  )

const server = createServer((_, answer) => answer.end(JSON.stringify(tally))).listen(
  0,
  '127.0.0.1',
  () => {
    const { port } = server.address() as AddressInfo
    console.log(JSON.stringify({ msg: 'listening', address: `http://127.0.0.1:${port}` }))
  },
)
