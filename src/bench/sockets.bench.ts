// WebSockets that follow one run: the time from the commit of a change until all have it, responses
// a second, and the memory of an idle one. Peer: `ws`, which sends the same bytes. Targets: p95 ≤
// 50 ms with 1,000 subscribers, ≤ 30 KiB for each idle socket.
import { postgresChannel } from '../database/channels.ts'
import { type Benchmark, createResult, kib, ms, percentile, perSecond } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { memoryBytes, openFilesLimit } from './process-usage.ts'
import { scriptArguments, startProgram } from './programs.ts'
import { insertQueued } from './rows.ts'
import { openSockets, pause, type SocketTarget } from './web-sockets.ts'

const database = 'sockets'
const reservedFiles = 2_000
const warmUpSockets = 20
const sample = { type: 'job_progress', job_id: 'x'.repeat(36), filler: 'x'.repeat(350) }

export const sockets: Benchmark = {
  name: 'sockets',
  async run(environment, { isQuick }) {
    const subscribers = isQuick ? 200 : 1_000
    const changes = isQuick ? 10 : 60
    const idle = Math.min(isQuick ? 500 : 10_000, openFilesLimit() - reservedFiles)
    const env = {
      WORKER: 'false',
      MAX_WEBSOCKETS: '100000',
      MAX_WEBSOCKETS_PER_USER: '100000',
      WEBSOCKET_MESSAGES_PER_SECOND: '1000000',
    }
    const gateway = await environment.startGateway({ database, env })
    const peer = await startProgram({ args: scriptArguments('./ws-peer.ts') })
    try {
      const own = await openTarget(environment, gateway.url)
      const bare = createPeerTarget(peer.url)
      const options = { subscribers, changes }
      const [ownMs, peerMs] = [
        await measureLatency(own, options),
        await measureLatency(bare, options),
      ]
      const seconds = isQuick ? 1 : 5
      const ownRate = await measureResponses(own, seconds)
      const peerRate = await measureResponses(bare, seconds)
      const ownBytes = await measureMemory(own, gateway.pid, idle)
      const peerBytes = await measureMemory(bare, peer.pid, idle)
      await own.close()
      return [
        createResult({
          measure: `a change reaches ${subscribers.toLocaleString('en')} WebSockets, p95`,
          own: ownMs,
          peer: peerMs,
          peerName: 'ws',
          format: ms,
          target: '≤ 50 ms',
          atMost: 50,
        }),
        createResult({
          measure: 'responses to `ping` messages over 50 WebSockets',
          own: ownRate,
          peer: peerRate,
          peerName: 'ws',
          format: perSecond,
          target: '–',
        }),
        createResult({
          measure: `memory per idle WebSocket, ${idle.toLocaleString('en')} open`,
          own: ownBytes,
          peer: peerBytes,
          peerName: 'ws',
          format: kib,
          target: '≤ 30 KiB',
          atMost: 30 * 1024,
        }),
      ]
    } finally {
      await Promise.all([gateway.stop(), peer.stop()])
    }
  },
}

interface Target extends SocketTarget {
  /** Makes a change that is sent to all sockets. */
  change: (n: number) => Promise<unknown>
}

function createPeerTarget(url: string): Target {
  const body = JSON.stringify(sample)
  return { url, headers: {}, change: () => fetch(url, { method: 'POST', body }) }
}

async function openTarget(environment: BenchEnvironment, url: string) {
  const client = await environment.connect(database)
  const [id = ''] = await insertQueued(client, 1)
  await client.query(`update gateway.presentations set status = 'running', stage = 'slides'`)
  const hint = JSON.stringify({ origin: 'bench', channel: 'log', id, seq: 1 })
  return {
    url: `${url}/api/v1/realtime/generation/${id}`,
    headers: { authorization: `Bearer ${await environment.token()}` },
    async change(n: number) {
      await client.query(
        `with l as (update gateway.leases set last_seq = last_seq + 1)
         update gateway.presentations set slides_done = $1`,
        [n],
      )
      await client.query('select pg_notify($1, $2)', [postgresChannel, hint])
    },
    close: () => client.end(),
  }
}

async function measureLatency(
  target: Target,
  { subscribers, changes }: { subscribers: number; changes: number },
): Promise<number> {
  const opened = await openSockets(target, subscribers)
  let startedMs = 0
  const latencies: number[] = []
  await pause(1_000)
  for (const socket of opened)
    socket.on('message', () => latencies.push(performance.now() - startedMs))
  for (let n = 1; n <= changes; n += 1) {
    const expected = n * subscribers
    startedMs = performance.now()
    await target.change(n)
    while (latencies.length < expected) await pause(2)
    // At most five messages a second are sent.
    await pause(260)
  }
  for (const socket of opened) socket.terminate()
  return percentile(latencies, 0.95)
}

const pingsAtOnce = 20

/** Each response is followed by the next request, as fast as both sides can. */
async function measureResponses(target: Target, seconds: number): Promise<number> {
  const opened = await openSockets(target, 50)
  await pause(500)
  let responses = 0
  for (const socket of opened) {
    socket.on('message', () => {
      responses += 1
      socket.send('{"type":"ping"}')
    })
    for (let n = 0; n < pingsAtOnce; n += 1) socket.send('{"type":"ping"}')
  }
  await pause(1_000)
  const before = responses
  const startedMs = performance.now()
  await pause(seconds * 1_000)
  const rate = ((responses - before) * 1_000) / (performance.now() - startedMs)
  for (const socket of opened) socket.terminate()
  return rate
}

async function measureMemory(target: Target, pid: number, count: number): Promise<number> {
  const warmUp = await openSockets(target, warmUpSockets)
  await pause(1_000)
  const before = memoryBytes(pid)
  const opened = await openSockets(target, count - warmUpSockets)
  await pause(2_000)
  const added = memoryBytes(pid) - before
  for (const socket of [...warmUp, ...opened]) socket.terminate()
  return added / opened.length
}
