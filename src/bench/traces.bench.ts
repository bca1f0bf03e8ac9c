// What traces cost: accepts and the latency of events, with traces against without. A second
// gateway without traces shows what differs by chance. Target: at most 5 % more.
import { type Benchmark, createResult, ms, percentile } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { sendAtFixedRate } from './fixed-rate.ts'
import { cpuSeconds } from './process-usage.ts'
import { scriptArguments, startProgram } from './programs.ts'
import { emptyQueueRegularly } from './queue.ts'
import { openGatewaySystem, runRound } from './systems.ts'

interface Measured {
  off: number[]
  on: number[]
}

interface Traced {
  name: 'off' | 'on' | 'off again'
  env: Record<string, string>
}

const maxRatio = 1.05
/** Of the whole measure, below its time limit: on a busy machine there are fewer rounds. */
const budgetMs = 180_000

const body = JSON.stringify({
  content: 'The ferry runs until the bridge is repaired.',
  n_slides: 2,
})

export const traces: Benchmark = {
  name: 'traces',
  async run(environment, { isQuick }) {
    const collector = await startProgram({ args: scriptArguments('./collector.ts') })
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }
    const startMs = performance.now()
    const left = (share: number) => share * budgetMs - (performance.now() - startMs)
    try {
      const accepts = await measureAccepts(environment, env, {
        isQuick,
        hasTime: () => left(0.5) > 0,
      })
      const events = await measureEvents(environment, env, { isQuick, leftMs: () => left(1) })
      return [...accepts, toResult('event from write to read', events)]
    } finally {
      await collector.stop()
    }
  },
}

async function measureAccepts(
  environment: BenchEnvironment,
  traced: Record<string, string>,
  { isQuick, hasTime }: { isQuick: boolean; hasTime: () => boolean },
) {
  const database = 'traced_intake'
  const kinds: Traced[] = [
    { name: 'off', env: {} },
    { name: 'on', env: traced },
    { name: 'off again', env: {} },
  ]
  const gateways = []
  for (const { name, env } of kinds) {
    const program = await environment.startGateway({ database, env: { WORKER: 'false', ...env } })
    gateways.push({ name, program, delaysMs: [] as number[], cpu: 0 })
  }
  const queue = emptyQueueRegularly(await environment.connect(database))
  const headers = { authorization: `Bearer ${await environment.token()}` }
  const perSecond = isQuick ? 50 : 200
  const post = ({ url }: { url: string }, count: number, pace = 1) =>
    sendAtFixedRate({
      ...{ url: `${url}/api/v1/presentations`, headers, body, count },
      perSecond: pace * perSecond,
    })
  try {
    // The first two thousand accepts run on code that is not optimized yet, tracing most of all.
    await Promise.all(gateways.map(({ program }) => post(program, isQuick ? 100 : 2000, 0.5)))
    // Short rounds in changing order: what else runs on this machine then slows all of them alike.
    for (let round = 0; round < (isQuick ? 3 : 18) && (round < 3 || hasTime()); round += 1) {
      const first = round % gateways.length
      for (const gateway of [...gateways.slice(first), ...gateways.slice(0, first)]) {
        const before = cpuSeconds(gateway.program.pid)
        gateway.delaysMs.push(...(await post(gateway.program, perSecond / 2)))
        gateway.cpu += cpuSeconds(gateway.program.pid) - before
      }
    }
  } finally {
    await queue.stop()
    for (const { program } of gateways) await program.stop()
  }
  const [off, on, again] = gateways.map(({ delaysMs, cpu }) => ({
    delaysMs,
    cpuMs: (cpu * 1000) / delaysMs.length,
  }))
  if (!off || !on || !again) return []
  const cpuOff = (off.cpuMs + again.cpuMs) / 2
  return [
    toResult('POST /presentations to 202', { off: off.delaysMs, on: on.delaysMs }),
    createResult({
      measure: 'the same without traces, measured twice, p50',
      own: percentile(again.delaysMs, 0.5),
      peer: percentile(off.delaysMs, 0.5),
      peerName: 'without',
      format: ms,
      target: '',
    }),
    createResult({
      measure: 'CPU time of an accept with traces',
      own: on.cpuMs,
      peer: cpuOff,
      peerName: 'without',
      format: ms,
      target: '≤ 1.05 ×',
      atMost: maxRatio * cpuOff,
    }),
  ]
}

async function measureEvents(
  environment: BenchEnvironment,
  traced: Record<string, string>,
  { isQuick, leftMs }: { isQuick: boolean; leftMs: () => number },
): Promise<Measured> {
  const load = isQuick ? { runs: 4, readersPerRun: 2 } : { runs: 50, readersPerRun: 5 }
  const round = { kind: 'slide', perSecond: 4, bytes: 600 } as const
  const measured: Measured = { off: [], on: [] }
  // One after the other, since both would read the same streams of upstream.
  for (let pass = 0, tookMs = 0; pass < (isQuick ? 1 : 3) && tookMs < leftMs(); pass += 1) {
    const startMs = performance.now()
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
    tookMs = performance.now() - startMs
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
