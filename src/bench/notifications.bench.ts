// Notifications over WebSockets: the time until a user on another replica has one, and what readers
// cost that take nothing. Peer: `ws`, which sends the same bytes. Targets: p95 ≤ 100 ms; a reader
// that takes nothing costs at most its buffer, 1 MiB, and delays no other.
import { findFreePort } from '../sandbox/ports.ts'
import { type Benchmark, createResult, kib, ms, percentile } from './benchmark.ts'
import { memoryBytes } from './process-usage.ts'
import { scriptArguments, startProgram } from './programs.ts'
import { openSockets, pause, type SocketTarget } from './web-sockets.ts'

const database = 'notifications'
const stalledReaders = 20
const largePerSecond = 100

export const notifications: Benchmark = {
  name: 'notifications',
  async run(environment, { isQuick }) {
    const rounds = isQuick ? 10 : 100
    const seconds = isQuick ? 3 : 60
    const opsPort = String(await findFreePort())
    const env = { WORKER: 'false', MAX_WEBSOCKETS_PER_USER: '1000' }
    const serving = await environment.startGateway({ database, env })
    const writing = await environment.startGateway({ database, env: { ...env, OPS_PORT: opsPort } })
    const peer = await startProgram({ args: scriptArguments('./ws-peer.ts') })
    const announce = createAnnounce(`http://127.0.0.1:${opsPort}/notifications`)
    const own = {
      url: `${serving.url}/api/v1/realtime/notifications`,
      headers: { authorization: `Bearer ${await environment.token()}` },
    }
    const measure = (target: SocketTarget, post: Announce) => measureLatency(target, post, rounds)
    try {
      const ownMs = await measure(own, announce)
      const peerMs = await measure({ url: peer.url }, createAnnounce(peer.url))
      // The same work for readers that keep up grows the heap, which is no cost of a stalled one.
      const warmUp = await openSockets(own, stalledReaders)
      await announceMany(announce, isQuick ? 3 : 10)
      for (const socket of warmUp) socket.terminate()
      const stalled = await openSockets(own, stalledReaders)
      for (const socket of stalled) socket.pause()
      const before = memoryBytes(serving.pid)
      await announceMany(announce, seconds)
      const besideMs = await measure(own, announce)
      const added = memoryBytes(serving.pid) - before
      for (const socket of stalled) socket.terminate()
      return [
        createResult({
          measure: 'a notification reaches its user on another replica, p95',
          own: ownMs,
          peer: peerMs,
          peerName: 'ws',
          format: ms,
          target: '≤ 100 ms',
          atMost: 100,
        }),
        createResult({
          measure: `the same beside ${stalledReaders} readers that take nothing, p95`,
          own: besideMs,
          format: ms,
          target: '≤ 100 ms',
          atMost: 100,
        }),
        createResult({
          measure: `memory of a reader that took nothing for ${seconds} s`,
          own: Math.max(0, added) / stalledReaders,
          format: kib,
          target: '≤ 1 MiB',
          atMost: 1024 * 1024,
        }),
      ]
    } finally {
      await Promise.all([serving.stop(), writing.stop(), peer.stop()])
    }
  },
}

type Announce = (message: string) => Promise<void>

function createAnnounce(url: string): Announce {
  return async (message) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'Maintenance', message, notification_type: 'info' }),
    })
    if (!response.ok) throw new Error(`${url} responded with ${response.status}`)
    await response.arrayBuffer()
  }
}

/** The time from the request that writes a notification to its arrival. */
async function measureLatency(
  target: SocketTarget,
  announce: Announce,
  rounds: number,
): Promise<number> {
  const [socket] = await openSockets(target, 1)
  const arrivals = new Map<string, number>()
  socket?.on('message', (data) => {
    const { message } = JSON.parse(String(data))
    if (typeof message === 'string') arrivals.set(message, performance.now())
  })
  await pause(1_000)
  const latencies: number[] = []
  for (let n = 0; n < rounds; n += 1) {
    const message = `round ${n} at ${performance.now()}`
    const startedMs = performance.now()
    await announce(message)
    while (!arrivals.has(message)) await pause(1)
    latencies.push((arrivals.get(message) ?? 0) - startedMs)
    await pause(20)
  }
  socket?.terminate()
  return percentile(latencies, 0.95)
}

const largeMessage = 'x'.repeat(1_980)

/** In all more than the kernel takes for readers that take nothing. */
async function announceMany(announce: Announce, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    const startedMs = performance.now()
    for (let n = 0; n < largePerSecond; n += 10)
      await Promise.all(Array.from({ length: 10 }, (_, m) => announce(`${largeMessage} ${n + m}`)))
    await pause(Math.max(0, startedMs + 1_000 - performance.now()))
  }
}
