// Time from the start of the process until it is ready, and CPU use while idle with no stream and
// with 1,000. Peer: the start of a bare Fastify. Target: ready in < 1 s; < 1 % and < 3 % of a core.
import { setTimeout as delay } from 'node:timers/promises'
import { type Benchmark, createResult, ms, percent, percentile } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { cpuSeconds } from './process-usage.ts'
import { startProgram } from './programs.ts'
import { openReaders } from './readers.ts'
import { insertQueued } from './rows.ts'

const database = 'resting'
const bareFastify = `import fastify from 'fastify'; const app = fastify(); app.get('/', async () => ({}));
console.log(JSON.stringify({ msg: 'listening', address: await app.listen({ port: 0, host: '127.0.0.1' }) }))`

export const idle: Benchmark = {
  name: 'idle',
  async run(environment, { isQuick }) {
    const client = await environment.connect(database)
    const ids = await insertQueued(client, 1_000)
    await client.query(`update gateway.presentations set status = 'awaiting_outlines'`)
    await client.end()
    const startMs = { own: [] as number[], peer: [] as number[] }
    for (let n = 0; n < (isQuick ? 1 : 5); n += 1) {
      startMs.peer.push(
        await measureStart(() =>
          startProgram({ args: ['--input-type=module', '-e', bareFastify] }),
        ),
      )
      startMs.own.push(await measureStart(() => environment.startGateway({ database })))
    }
    const cpu = await measureCpu(environment, ids, isQuick ? 1_000 : 10_000)
    return [
      createResult({
        measure: 'start until ready, p50',
        own: percentile(startMs.own, 0.5),
        peer: percentile(startMs.peer, 0.5),
        peerName: 'bare Fastify',
        format: ms,
        target: '< 1 s',
        atMost: 1_000,
      }),
      createResult({
        measure: 'idle CPU (of one core), no stream',
        own: cpu.withoutStreams,
        format: percent,
        target: '< 1 %',
        atMost: 0.01,
      }),
      createResult({
        measure: 'idle CPU (of one core), 1,000 streams',
        own: cpu.withStreams,
        format: percent,
        target: '< 3 %',
        atMost: 0.03,
      }),
    ]
  },
}

async function measureStart(start: () => Promise<{ stop: () => Promise<void> }>): Promise<number> {
  const since = performance.now()
  const program = await start()
  const tookMs = performance.now() - since
  await program.stop()
  return tookMs
}

/** Shares of one core, without streams and with one for each id. */
async function measureCpu(environment: BenchEnvironment, ids: string[], forMs: number) {
  const gateway = await environment.startGateway({ database })
  const measureShare = async () => {
    // Compilation and garbage collection go on for some seconds after a start.
    await delay(forMs * 0.8)
    const before = { cpu: cpuSeconds(gateway.pid), at: performance.now() }
    await delay(forMs)
    return (cpuSeconds(gateway.pid) - before.cpu) / ((performance.now() - before.at) / 1000)
  }
  try {
    const withoutStreams = await measureShare()
    const headers = { authorization: `Bearer ${await environment.token()}` }
    const readers = await openReaders(
      ids.map((id) => ({ url: `${gateway.url}/api/v1/presentations/${id}/events`, headers })),
    )
    const withStreams = await measureShare()
    readers.close()
    return { withoutStreams, withStreams }
  } finally {
    await gateway.stop()
  }
}
