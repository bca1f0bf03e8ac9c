// Claims by 3 workers with 10,000 queued runs of 1,000 users, each user's ten queued at once. Peer:
// the same with 10 queued. Target: ≤ 2 × per claim, and fair: nobody gets a second run before
// everybody has had one. What is claimed is ended at once, outside of the time.
import type pg from 'pg'
import { openDatabase } from '../database/connection.ts'
import { claim } from '../database/leases.ts'
import type { Ground } from './ground.ts'
import { judge, type Measure, ms, percentile, type Result, times } from './measure.ts'

const slots = { maxRunning: 100, maxRunningPerUser: 2, leaseMs: 15_000 }

export const claims: Measure = {
  name: 'claims',
  async run(ground, { isQuick }) {
    const users = isQuick ? 100 : 1000
    const many = await openQueue(ground, 'long_queue')
    const few = await openQueue(ground, 'short_queue')
    const order: string[] = []
    const own: number[] = []
    const peer: number[] = []
    try {
      await many.fill(users, 10)
      // Each claims as many as there are users, in turns of ten.
      for (let round = 0; round < users / 10; round += 1) {
        await few.fill(5, 2)
        peer.push(...(await few.claimSome(10)).map(({ took }) => took))
        const claimed = await many.claimSome(10)
        own.push(...claimed.map(({ took }) => took))
        order.push(...claimed.map(({ userId }) => userId))
      }
    } finally {
      await Promise.all([many.end(), few.end()])
    }
    return results({ own, peer, order, users })
  },
}

async function openQueue(ground: Ground, name: string) {
  const client: pg.Client = await ground.connect(name)
  const url = await ground.openDatabase(name)
  const workers = Array.from({ length: 3 }, () => openDatabase({ url, poolMax: 2 }))
  return {
    async fill(users: number, each: number) {
      await client.query(
        `insert into gateway.presentations (id, user_id, status, run_format, template, language, n_slides, export_as, brief, turn, queued_at)
         select gen_random_uuid(), 'user-' || u, 'queued', 'pptx', 'general', 'English', 8, 'pptx', '{}', c.turn + n, clock_timestamp()
         from generate_series(1, $1) u, generate_series(1, $2) n, gateway.queue_clock c order by u, n`,
        [users, each],
      )
      await client.query(`insert into gateway.leases (presentation_id, last_seq)
        select id, 1 from gateway.presentations p where status = 'queued' and not exists (select 1 from gateway.leases l where l.presentation_id = p.id)`)
      await client.query('analyze gateway.presentations, gateway.leases')
    },
    async claimSome(count: number) {
      const claimed: { took: number; userId: string }[] = []
      let left = count
      await Promise.all(
        workers.map(async (database) => {
          while (left > 0) {
            left -= 1
            const since = performance.now()
            const run = await claim(database, slots)
            if (!run) throw new Error('nothing was claimed from a queue that is not empty')
            claimed.push({ took: performance.now() - since, userId: run.userId })
            // In one statement: a lease without a token, of a run that still runs, is there to be
            // taken over.
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
    end: () => Promise.all([client.end(), ...workers.map((worker) => worker.close())]),
  }
}

function results({
  own,
  peer,
  order,
  users,
}: {
  own: number[]
  peer: number[]
  order: string[]
  users: number
}): Result[] {
  const row = (label: string, share: number) => {
    const few = percentile(peer, share)
    return judge({
      measure: `claim, ${(users * 10).toLocaleString('en')} queued, 3 workers, ${label}`,
      ...{
        own: percentile(own, share),
        peer: few,
        peerName: '10 queued',
        unit: ms,
        target: '≤ 2 ×',
        atMost: 2 * few,
      },
    })
  }
  const counts = new Map<string, number>()
  for (const user of order) counts.set(user, (counts.get(user) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return [
    row('p50', 0.5),
    row('p95', 0.95),
    judge({
      measure: `most runs of one user among the first ${users}`,
      ...{ own: most, peer: 1, peerName: 'fair', unit: times, target: '≤ 1', atMost: 1 },
    }),
  ]
}
