// A burst: runs whose upstream writes outline chunks as fast as they are read. At the same time the
// process must answer others at once, and its event loop must never turn for long.
import {
  type Benchmark,
  count,
  createResult,
  ms,
  percentile,
  perSecond,
  type Result,
} from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import type { Program } from './programs.ts'
import { startRuns } from './runs.ts'

const database = 'burst'

export const burst: Benchmark = {
  name: 'burst',
  async run(environment, { isQuick }) {
    const runs = isQuick ? 10 : 100
    const chunks = isQuick ? 500 : 10_000
    const gateway = await environment.startGateway({ database, env: { LEASE_SECONDS: '15' } })
    const token = await environment.token()
    const { ids } = await startRuns(environment, {
      url: gateway.url,
      token,
      count: runs,
      stage: 'outlines',
    })
    try {
      await readLongestTurnMs(gateway)
      const others = pollOthers(environment, gateway)
      const startMs = performance.now()
      await environment.upstream.emit({
        group: 'outlines',
        kind: 'token',
        events: chunks,
        bytes: 0,
      })
      const seconds = (performance.now() - startMs) / 1000
      const waits = await (await others).stop()
      return await results({ environment, gateway, ids, chunks: runs * chunks, seconds, waits })
    } finally {
      await gateway.stop()
    }
  },
}

interface Waits {
  live: number[]
  usage: number[]
}

interface Outcome {
  environment: BenchEnvironment
  gateway: Program
  ids: string[]
  chunks: number
  seconds: number
  waits: Waits
}

async function results({
  environment,
  gateway,
  ids,
  chunks,
  seconds,
  waits,
}: Outcome): Promise<Result[]> {
  const longestTurnMs = await readLongestTurnMs(gateway)
  const client = await environment.connect(database)
  const { rows } = await client.query<{ takeovers: number }>(
    'select coalesce(sum(takeovers), 0)::int as takeovers from gateway.presentations where id = any($1)',
    [ids],
  )
  await client.end()
  const label = `burst of ${chunks.toLocaleString('en')} chunks in ${ids.length} runs`
  return [
    createResult({
      measure: `${label}: taken in`,
      own: chunks / seconds,
      format: perSecond,
      target: 'stated',
    }),
    createResult({
      measure: `${label}: longest turn of the event loop`,
      own: longestTurnMs,
      format: ms,
      target: '≤ 50 ms',
      atMost: 50,
    }),
    createResult({
      measure: `${label}: GET /health/live, longest`,
      own: percentile(waits.live, 1),
      format: ms,
      target: '≤ 100 ms',
      atMost: 100,
    }),
    createResult({
      measure: `${label}: another user's GET /usage, longest`,
      own: percentile(waits.usage, 1),
      format: ms,
      target: '≤ 1 s',
      atMost: 1_000,
    }),
    createResult({
      measure: `${label}: leases lost`,
      own: rows[0]?.takeovers ?? Number.NaN,
      format: count,
      target: '0',
      atMost: 0.5,
    }),
  ]
}

/** The longest turn since the last call; reading the metrics resets it. */
async function readLongestTurnMs({ url }: Program): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1]) * 1000
}

/** Sends requests of someone who has no part in the burst, one after the other. */
async function pollOthers(environment: BenchEnvironment, { url }: Program) {
  const headers = { authorization: `Bearer ${await environment.token('someone-else')}` }
  const waits: Waits = { live: [], usage: [] }
  let isStopped = false
  async function poll(path: string, into: number[]) {
    while (!isStopped) {
      const startMs = performance.now()
      await (await fetch(`${url}${path}`, { headers })).arrayBuffer()
      into.push(performance.now() - startMs)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const polls = [poll('/health/live', waits.live), poll('/api/v1/usage', waits.usage)]
  return {
    async stop(): Promise<Waits> {
      isStopped = true
      await Promise.all(polls)
      return waits
    },
  }
}
