// A trickle of chunks of one token each in 50 runs with a reader each: 200 tokens a second in all,
// and 200 in each run, as fast as a model writes. What it costs the database and the gateway, and
// how long a token is under way. Peer: the tokens as they come. Target: no token is held longer
// than 20 ms (judged by the 99th percentile; the longest is stated).
import type { Ground } from './ground.ts'
import { judge, type Measure, ms, percent, percentile, perSecond, type Result } from './measure.ts'
import { openReaders } from './readers.ts'
import { openRuns } from './runs.ts'
import { playRound, type Side } from './sides.ts'
import { cpuSeconds, serverCpuSeconds } from './usage.ts'

const database = 'trickle'

export const trickle: Measure = {
  name: 'trickle',
  async run(ground, { isQuick }) {
    const runs = isQuick ? 8 : 50
    const gateway = await ground.startGateway({ database })
    const token = await ground.token()
    const { eventUrls } = await openRuns(ground, {
      url: gateway.url,
      token,
      count: runs,
      stage: 'outlines',
    })
    const delays: number[] = []
    const readers = await openReaders(
      eventUrls.map((url) => ({ url, headers: { authorization: `Bearer ${token}` } })),
      (delay) => delays.push(delay),
    )
    const side = {
      name: 'gateway',
      pid: gateway.pid,
      group: 'outlines',
      streams: runs,
      readers,
      delays,
      end: () => gateway.end(),
    }
    try {
      const results: Result[] = []
      for (const each of isQuick ? [20] : [4, 200])
        results.push(...(await measure({ ground, side, each, seconds: isQuick ? 0.6 : 8 })))
      return results
    } finally {
      readers.close()
      await side.end()
    }
  },
}

interface Trickle {
  ground: Ground
  side: Side
  /** Tokens a second in each run. */
  each: number
  seconds: number
}

async function measure({ ground, side, each, seconds }: Trickle): Promise<Result[]> {
  const client = await ground.connect(database)
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const backend = rows[0]?.pid ?? 0
  const look = async () => {
    // Backends tell what they did once a second.
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    const { rows: stats } = await client.query<{ commits: number }>(
      'select xact_commit::int as commits from pg_stat_database where datname = current_database()',
    )
    return {
      commits: stats[0]?.commits ?? 0,
      gateway: cpuSeconds(side.pid),
      server: serverCpuSeconds(backend),
      at: performance.now(),
    }
  }
  const before = await look()
  const played = await playRound(ground, side, {
    kind: 'token',
    beats: Math.ceil(each * seconds),
    perSecond: each,
    bytes: 0,
  })
  const after = await look()
  await client.end()
  // The looks around it are idle, so that all that was used was used by the round.
  const share = (used: number) => used / played.seconds
  const name = `${(each * side.streams).toLocaleString('en')} tokens/s in ${side.streams} runs`
  const told = { target: 'stated' }
  return [
    judge({
      ...told,
      measure: `${name}: commits`,
      own: share(after.commits - before.commits),
      peer: played.perSecond,
      peerName: 'tokens',
      unit: perSecond,
    }),
    judge({
      ...told,
      measure: `${name}: CPU of a core`,
      own: share(after.gateway - before.gateway),
      peer: share(after.server - before.server),
      peerName: 'Postgres',
      unit: percent,
    }),
    judge({
      measure: `${name}: write to read, p99`,
      own: percentile(side.delays, 0.99),
      unit: ms,
      target: '≤ 20 ms',
      atMost: 20,
    }),
    judge({
      ...told,
      measure: `${name}: write to read, longest`,
      own: percentile(side.delays, 1),
      unit: ms,
    }),
  ]
}
