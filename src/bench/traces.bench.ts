// What traces cost: accepts and the latency of events, with traces against without. The collector
// accepts everything. Target: at most 5 % more.
import { openCollector } from '../sandbox/traces.ts'
import { type Benchmark, createResult, ms, percentile } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { sendAtFixedRate } from './fixed-rate.ts'
import { emptyQueueRegularly } from './queue.ts'
import { openGatewaySystem, runRound } from './systems.ts'

interface Measured {
  off: number[]
  on: number[]
}

const maxRatio = 1.05

const body = JSON.stringify({
  content: 'The ferry runs until the bridge is repaired.',
  n_slides: 2,
})

export const traces: Benchmark = {
  name: 'traces',
  async run(environment, { isQuick }) {
    const collector = await openCollector()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }
    try {
      return [
        toResult('POST /presentations to 202', await measureAccepts(environment, env, isQuick)),
        toResult('event from write to read', await measureEvents(environment, env, isQuick)),
      ]
    } finally {
      await collector.close()
    }
  },
}

async function measureAccepts(
  environment: BenchEnvironment,
  env: Record<string, string>,
  isQuick: boolean,
): Promise<Measured> {
  const database = 'traced_intake'
  const off = await environment.startGateway({ database, env: { WORKER: 'false' } })
  const on = await environment.startGateway({ database, env: { WORKER: 'false', ...env } })
  const queue = emptyQueueRegularly(await environment.connect(database))
  const headers = { authorization: `Bearer ${await environment.token()}` }
  const perSecond = isQuick ? 50 : 200
  const post = ({ url }: { url: string }, count: number) =>
    sendAtFixedRate({ url: `${url}/api/v1/presentations`, headers, body, perSecond, count })
  const measured: Measured = { off: [], on: [] }
  try {
    for (const warmUp of [off, on]) await post(warmUp, perSecond * 2)
    for (let round = 0; round < (isQuick ? 1 : 6); round += 1) {
      measured.off.push(...(await post(off, perSecond * 2)))
      measured.on.push(...(await post(on, perSecond * 2)))
    }
  } finally {
    await queue.stop()
    await off.stop()
    await on.stop()
  }
  return measured
}

async function measureEvents(
  environment: BenchEnvironment,
  traced: Record<string, string>,
  isQuick: boolean,
): Promise<Measured> {
  const load = isQuick ? { runs: 4, readersPerRun: 2 } : { runs: 50, readersPerRun: 5 }
  const round = { kind: 'slide', perSecond: 4, bytes: 600 } as const
  const measured: Measured = { off: [], on: [] }
  // One after the other, since both would read the same streams of upstream.
  for (let pass = 0; pass < (isQuick ? 1 : 3); pass += 1) {
    for (const [key, env] of [
      ['off', {}],
      ['on', traced],
    ] as const) {
      const database = `traced_${key}_${pass}`
      const system = await openGatewaySystem(environment, load, { database, env })
      try {
        await runRound(environment, system, { ...round, events: 8 })
        await runRound(environment, system, { ...round, events: isQuick ? 4 : 24 })
        measured[key].push(...system.delaysMs)
      } finally {
        await system.stop()
      }
    }
  }
  return measured
}

function toResult(what: string, { off, on }: Measured) {
  const peer = percentile(off, 0.5)
  return createResult({
    measure: `${what} with traces, p50`,
    own: percentile(on, 0.5),
    peer,
    peerName: 'without',
    format: ms,
    target: '≤ 1.05 ×',
    atMost: maxRatio * peer,
  })
}
