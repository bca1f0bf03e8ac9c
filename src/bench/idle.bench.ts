// From the start of the process to ready, and what it costs to stand idle with no stream and with
// 1,000. Peer: a bare Fastify's start. Target: ready in < 1 s; < 1 % and < 3 % of a core.
import { setTimeout as delay } from 'node:timers/promises'
import type { Ground } from './ground.ts'
import { judge, type Measure, ms, percent, percentile } from './measure.ts'
import { startProgram } from './programs.ts'
import { openReaders } from './readers.ts'
import { insertQueued } from './rows.ts'
import { cpuSeconds } from './usage.ts'

const database = 'resting'
const bare = `import fastify from 'fastify'; const app = fastify(); app.get('/', async () => ({}));
console.log(JSON.stringify({ msg: 'listening', address: await app.listen({ port: 0, host: '127.0.0.1' }) }))`

export const idle: Measure = {
  name: 'idle',
  async run(ground, { isQuick }) {
    const client = await ground.connect(database)
    const ids = await insertQueued(client, 1_000)
    await client.query(`update gateway.presentations set status = 'awaiting_outlines'`)
    await client.end()
    const starts = { own: [] as number[], peer: [] as number[] }
    for (let n = 0; n < (isQuick ? 1 : 5); n += 1) {
      starts.peer.push(
        await time(() => startProgram({ args: ['--input-type=module', '-e', bare] })),
      )
      starts.own.push(await time(() => ground.startGateway({ database })))
    }
    const { none, many } = await measureIdle(ground, ids, isQuick ? 1_000 : 10_000)
    return [
      judge({
        measure: 'start to ready, p50',
        ...{
          own: percentile(starts.own, 0.5),
          peer: percentile(starts.peer, 0.5),
          peerName: 'bare Fastify',
          unit: ms,
        },
        ...{ target: '< 1 s', atMost: 1_000 },
      }),
      judge({
        measure: 'idle CPU of a core, no stream',
        own: none,
        unit: percent,
        target: '< 1 %',
        atMost: 0.01,
      }),
      judge({
        measure: 'idle CPU of a core, 1,000 streams',
        own: many,
        unit: percent,
        target: '< 3 %',
        atMost: 0.03,
      }),
    ]
  },
}

async function time(start: () => Promise<{ end: () => Promise<void> }>): Promise<number> {
  const since = performance.now()
  const program = await start()
  const took = performance.now() - since
  await program.end()
  return took
}

async function measureIdle(ground: Ground, ids: string[], forMs: number) {
  const gateway = await ground.startGateway({ database })
  const share = async () => {
    // What starts is compiled and collected for some seconds.
    await delay(forMs * 0.8)
    const before = { cpu: cpuSeconds(gateway.pid), at: performance.now() }
    await delay(forMs)
    return (cpuSeconds(gateway.pid) - before.cpu) / ((performance.now() - before.at) / 1000)
  }
  try {
    const none = await share()
    const headers = { authorization: `Bearer ${await ground.token()}` }
    const readers = await openReaders(
      ids.map((id) => ({ url: `${gateway.url}/api/v1/presentations/${id}/events`, headers })),
    )
    const many = await share()
    readers.close()
    return { none, many }
  } finally {
    await gateway.end()
  }
}
