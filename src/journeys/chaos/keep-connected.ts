// A WebSocket client that behaves as a page should: it reconnects, to any replica, whenever its
// connection ends, breaks or falls silent.

import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Random } from './random.ts'
import type { Report } from './report.ts'

// biome-ignore lint/suspicious/noExplicitAny: any kind of message
export type Message = any

export interface KeepConnectedOptions {
  /** Below `/api/v1/realtime`; read again for each connection, since it may have a cursor. */
  path: () => string
  token: string
  urls: () => string[]
  random: Random
  report: Report
  /** For violations. */
  subject: string
  onConnect?: () => void
  onMessage: (message: Message) => void
  isDone: () => boolean
}

/** A replica after SIGSTOP answers neither an upgrade nor a ping. */
const silenceMs = 4_000
const pingMs = 1_000
const handshakeTimeoutMs = 5_000
const maxReconnectMs = 3_000
const disconnectProbability = 0.15

/**
 * The replica was killed, shuts down, or the client itself has left; or the presentation is gone.
 */
const expectedCodes = new Set([1005, 1006, 1012, 4404])

/** Resolves once `isDone`, or as soon as what it follows does not exist. */
export async function keepConnected(options: KeepConnectedOptions): Promise<'done' | 'gone'> {
  const { token, urls, random, report, subject, isDone } = options
  let isFirst = true
  let failures = 0
  for (let attempt = 1; !isDone(); attempt += 1) {
    // Doubled after each failure, or a thousand clients would keep a replica from recovering.
    if (attempt > 1) await delay(random.between(0, Math.min(300 * 2 ** failures, maxReconnectMs)))
    failures += 1
    const replicas = urls()
    if (replicas.length === 0) continue
    const url = `${random.pick(replicas)}/api/v1/realtime${options.path()}`
    const opened = await open(url, token)
    if (opened === 404) return 'gone'
    if (typeof opened === 'number') {
      const isPassing = opened === 0 || opened === 429 || opened >= 500
      if (!isPassing) report.violate(subject, `an upgrade was refused with ${opened}`)
      continue
    }
    report.count(isFirst ? 'WebSockets' : 'WebSocket reconnects')
    isFirst = false
    failures = 0
    options.onConnect?.()
    const code = await receive(opened, options)
    if (code === 4404) return 'gone'
    if (!expectedCodes.has(code)) report.violate(subject, `a WebSocket was closed with ${code}`)
  }
  return 'done'
}

interface Opened {
  socket: WebSocket
  /** What came before the first listener of messages. */
  early: Buffer[]
}

/** The status of a refusal; 0 when the connection failed. */
async function open(url: string, token: string): Promise<Opened | number> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), {
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: handshakeTimeoutMs,
    perMessageDeflate: false,
  })
  const early: Buffer[] = []
  socket.on('message', (data: Buffer) => early.push(data))
  let status = 0
  socket.on('error', () => undefined)
  socket.once('unexpected-response', (request, response) => {
    status = response.statusCode ?? 0
    request.destroy()
    socket.terminate()
  })
  await Promise.race([once(socket, 'open'), once(socket, 'close')]).catch(() => undefined)
  socket.removeAllListeners('message')
  return socket.readyState === WebSocket.OPEN ? { socket, early } : status
}

/** Reads one connection until it ends. Returns the close code; 1006 when this side has left. */
async function receive(
  { socket, early }: Opened,
  { random, onMessage, isDone }: KeepConnectedOptions,
): Promise<number> {
  const leavesAfter = random.chance(disconnectProbability)
    ? random.between(1, 10)
    : Number.POSITIVE_INFINITY
  let count = 0
  let isLeft = false
  let heardAtMs = performance.now()
  const take = (data: Buffer) => {
    if (isLeft) return
    heardAtMs = performance.now()
    onMessage(JSON.parse(data.toString()))
    count += 1
    if (count >= leavesAfter || isDone()) leave()
  }
  function leave() {
    isLeft = true
    socket.terminate()
  }
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  socket.on('pong', () => (heardAtMs = performance.now()))
  for (const data of early) take(data)
  socket.on('message', take)
  const timer = setInterval(() => {
    if (isDone() || performance.now() - heardAtMs > silenceMs) leave()
    else if (socket.readyState === WebSocket.OPEN) socket.ping()
  }, pingMs)
  const code = socket.readyState === WebSocket.CLOSED ? 1006 : await closed
  clearInterval(timer)
  return isLeft ? 1006 : code
}
