// Time of a claim by 3 workers with 10,000 queued runs of 1,000 users, who queued ten each at once.
// Peer: the same with 10 queued runs. Target: ≤ 2 × per claim, and fair: no user gets a second run
// before every user has one. Claimed runs end at once, outside the measured time.
import { openDatabase } from '../database/connection.ts'
import { claim } from '../database/leases.ts'
import { leases } from '../database/schema/log.ts'
import { presentations } from '../database/schema/presentations.ts'
import { type Benchmark, createResult, ms, percentile, type Result, times } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { insertSelect, sameBrief } from './rows.ts'

const slots = { maxRunning: 100, maxRunningPerUser: 2, leaseMs: 15_000 }

export const claims: Benchmark = {
  name: 'claims',
  async run(environment, { isQuick }) {
    const users = isQuick ? 100 : 1000
    const long = await openQueue(environment, 'long_queue')
    const short = await openQueue(environment, 'short_queue')
    const order: string[] = []
    const own: number[] = []
    const peer: number[] = []
    try {
      await long.fill(users, 10)
      // Both queues alternate, and make as many claims as there are users.
      for (let round = 0; round < users / 10; round += 1) {
        await short.fill(5, 2)
        peer.push(...(await short.claimRuns(10)).map(({ tookMs }) => tookMs))
        const claimed = await long.claimRuns(10)
        own.push(...claimed.map(({ tookMs }) => tookMs))
        order.push(...claimed.map(({ userId }) => userId))
      }
    } finally {
      await Promise.all([long.close(), short.close()])
    }
    return createResults({ own, peer, order, users })
  },
}

async function openQueue(environment: BenchEnvironment, name: string) {
  const client = await environment.connect(name)
  const url = await environment.openDatabase(name)
  const workers = Array.from({ length: 3 }, () => openDatabase({ url, poolMax: 2 }))
  return {
    async fill(users: number, runsPerUser: number) {
      await client.query(
        insertSelect(
          presentations,
          {
            ...sameBrief,
            id: 'gen_random_uuid()',
            userId: `'user-' || u`,
            status: `'queued'`,
            turn: 'c.turn + n',
            queuedAt: 'clock_timestamp()',
          },
          `from generate_series(1, $1) u, generate_series(1, $2) n, gateway.queue_clock c order by u, n`,
        ),
        [users, runsPerUser],
      )
      await client.query(
        insertSelect(
          leases,
          { presentationId: 'id', lastSeq: '1' },
          `from gateway.presentations p where status = 'queued'
             and not exists (select 1 from gateway.leases l where l.presentation_id = p.id)`,
        ),
      )
      await client.query('analyze gateway.presentations, gateway.leases')
    },
    async claimRuns(count: number) {
      const claimed: { tookMs: number; userId: string }[] = []
      let remaining = count
      await Promise.all(
        workers.map(async (database) => {
          while (remaining > 0) {
            remaining -= 1
            const since = performance.now()
            const run = await claim(database, slots)
            if (!run) throw new Error('a claim found no run, although the queue is not empty')
            claimed.push({ tookMs: performance.now() - since, userId: run.userId })
            // In one statement, since another worker could take over a running run without a token.
            await database.query(
              `with ended as (update gateway.presentations set status = 'completed', ended_at = now() where id = $1)
               update gateway.leases set token = null where presentation_id = $1`,
              [run.id],
            )
          }
        }),
      )
      return claimed
    },
    close: () => Promise.all([client.end(), ...workers.map((worker) => worker.close())]),
  }
}

interface Claimed {
  own: number[]
  peer: number[]
  /** The users of the claimed runs, in the order of the claims. */
  order: string[]
  users: number
}

function createResults({ own, peer, order, users }: Claimed): Result[] {
  const row = (label: string, share: number) => {
    const peerFigure = percentile(peer, share)
    return createResult({
      measure: `claim, ${(users * 10).toLocaleString('en')} queued, 3 workers, ${label}`,
      own: percentile(own, share),
      peer: peerFigure,
      peerName: '10 queued',
      format: ms,
      target: '≤ 2 ×',
      atMost: 2 * peerFigure,
    })
  }
  const counts = new Map<string, number>()
  for (const user of order) counts.set(user, (counts.get(user) ?? 0) + 1)
  return [
    row('p50', 0.5),
    row('p95', 0.95),
    createResult({
      measure: `most runs of one user among the first ${users}`,
      own: Math.max(...counts.values()),
      peer: 1,
      peerName: 'fair',
      format: times,
      target: '≤ 1',
      atMost: 1,
    }),
  ]
}
