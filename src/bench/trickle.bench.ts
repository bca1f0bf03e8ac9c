// Chunks of one token each in 50 runs with a reader each: 200 tokens a second in total, and 200 in
// each run, as fast as a model writes. Measures the load on the database and the gateway, and how
// long a token takes. Target: no token takes longer than 20 ms (judged by the p99).
import {
  type Benchmark,
  createResult,
  ms,
  percent,
  percentile,
  perSecond,
  type Result,
} from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { cpuSeconds, postgresCpuSeconds } from './process-usage.ts'
import { openReaders } from './readers.ts'
import { startRuns } from './runs.ts'
import { type MeasuredSystem, runRound } from './systems.ts'

const database = 'trickle'

export const trickle: Benchmark = {
  name: 'trickle',
  async run(environment, { isQuick }) {
    const runs = isQuick ? 8 : 50
    const gateway = await environment.startGateway({ database })
    const token = await environment.token()
    const { eventUrls } = await startRuns(environment, {
      url: gateway.url,
      token,
      count: runs,
      stage: 'outlines',
    })
    const delaysMs: number[] = []
    const readers = await openReaders(
      eventUrls.map((url) => ({ url, headers: { authorization: `Bearer ${token}` } })),
      (delayMs) => delaysMs.push(delayMs),
    )
    const system: MeasuredSystem = {
      name: 'gateway',
      pid: gateway.pid,
      streamGroup: 'outlines',
      streams: runs,
      readers,
      delaysMs,
      stop: () => gateway.stop(),
    }
    try {
      const results: Result[] = []
      const seconds = isQuick ? 0.6 : 8
      for (const tokensPerSecond of isQuick ? [20] : [4, 200])
        results.push(...(await measure({ environment, system, tokensPerSecond, seconds })))
      return results
    } finally {
      readers.close()
      await system.stop()
    }
  },
}

interface MeasureOptions {
  environment: BenchEnvironment
  system: MeasuredSystem
  /** In each run. */
  tokensPerSecond: number
  seconds: number
}

async function measure({
  environment,
  system,
  tokensPerSecond,
  seconds,
}: MeasureOptions): Promise<Result[]> {
  const client = await environment.connect(database)
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const backend = rows[0]?.pid ?? 0
  const readUsage = async () => {
    // Postgres processes report their statistics once a second.
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    const { rows: statistics } = await client.query<{ commits: number }>(
      'select xact_commit::int as commits from pg_stat_database where datname = current_database()',
    )
    return {
      commits: statistics[0]?.commits ?? 0,
      gatewayCpu: cpuSeconds(system.pid),
      postgresCpu: postgresCpuSeconds(backend),
    }
  }
  const before = await readUsage()
  const round = await runRound(environment, system, {
    kind: 'token',
    events: Math.ceil(tokensPerSecond * seconds),
    perSecond: tokensPerSecond,
    bytes: 0,
  })
  const after = await readUsage()
  await client.end()
  // Reading the usage costs next to nothing, so all of it belongs to the round.
  const perRoundSecond = (name: keyof typeof after) => (after[name] - before[name]) / round.seconds
  const total = (tokensPerSecond * system.streams).toLocaleString('en')
  const label = `${total} tokens/s in ${system.streams} runs`
  return [
    createResult({
      measure: `${label}: commits`,
      own: perRoundSecond('commits'),
      peer: round.perSecond,
      peerName: 'tokens',
      format: perSecond,
      target: 'stated',
    }),
    createResult({
      measure: `${label}: CPU (of one core)`,
      own: perRoundSecond('gatewayCpu'),
      peer: perRoundSecond('postgresCpu'),
      peerName: 'Postgres',
      format: percent,
      target: 'stated',
    }),
    createResult({
      measure: `${label}: write to read, p99`,
      own: percentile(system.delaysMs, 0.99),
      format: ms,
      target: '≤ 20 ms',
      atMost: 20,
    }),
    createResult({
      measure: `${label}: write to read, longest`,
      own: percentile(system.delaysMs, 1),
      format: ms,
      target: 'stated',
    }),
  ]
}
