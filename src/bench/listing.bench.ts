// List and get with 1,000,000 presentations in the table, 10,000 of them one user's. Peer: the same
// gateway on a table of 1,000, 100 of them the user's. Target: flat, ≤ 1.3 ×, for the median of
// each kind of request.
import type { Ground } from './ground.ts'
import { judge, type Measure, ms, percentile, type Result } from './measure.ts'
import { insertPresentations, type RowsOptions } from './rows.ts'

export const listing: Measure = {
  name: 'listing',
  async run(ground, { isQuick }) {
    const large = { count: isQuick ? 10_000 : 1_000_000, own: isQuick ? 200 : 10_000 }
    const few = await openTable(ground, 'few', { count: 1_000, own: 100 })
    const many = await openTable(ground, 'many', large)
    const results: Result[] = []
    try {
      for (const kind of kinds)
        results.push(
          await compare({ kind, few, many, large: large.count, rounds: isQuick ? 30 : 400 }),
        )
    } finally {
      await Promise.all([few.end(), many.end()])
    }
    return results
  },
}

const kinds = ['first page', 'page in the middle', 'page of failed ones', 'get one'] as const

type Table = Awaited<ReturnType<typeof openTable>>

async function openTable(ground: Ground, database: string, rows: RowsOptions) {
  const client = await ground.connect(database)
  await insertPresentations(client, rows)
  const { rows: found } = await client.query<{ id: string }>(
    `select id from gateway.presentations where user_id = 'bench' order by created_at offset $1 limit 1`,
    [rows.own / 2],
  )
  await client.end()
  const gateway = await ground.startGateway({ database, env: { WORKER: 'false' } })
  const headers = { authorization: `Bearer ${await ground.token()}` }
  const base = `${gateway.url}/api/v1/presentations`
  const first = (await (await fetch(`${base}?limit=40`, { headers })).json()) as {
    next_cursor: string
  }
  const paths: Record<(typeof kinds)[number], string> = {
    'first page': '',
    'page in the middle': `?cursor=${first.next_cursor}`,
    'page of failed ones': '?status=failed&limit=5',
    'get one': `/${found[0]?.id}`,
  }
  return {
    async time(kind: (typeof kinds)[number]): Promise<number> {
      const since = performance.now()
      const answer = await fetch(`${base}${paths[kind]}`, { headers })
      await answer.arrayBuffer()
      if (answer.status !== 200) throw new Error(`${kind} was answered ${answer.status}`)
      return performance.now() - since
    },
    end: () => gateway.end(),
  }
}

interface Compared {
  kind: (typeof kinds)[number]
  few: Table
  many: Table
  large: number
  rounds: number
}

async function compare({ kind, few, many, large, rounds }: Compared): Promise<Result> {
  const own: number[] = []
  const peer: number[] = []
  for (let n = -20; n < rounds; n += 1) {
    const [fromMany, fromFew] = [await many.time(kind), await few.time(kind)]
    if (n < 0) continue
    own.push(fromMany)
    peer.push(fromFew)
  }
  const [figure, small] = [percentile(own, 0.5), percentile(peer, 0.5)]
  return judge({
    measure: `${kind}, of ${large.toLocaleString('en')} rows, p50`,
    ...{
      own: figure,
      peer: small,
      peerName: 'of 1,000',
      unit: ms,
      target: '≤ 1.3 ×',
      atMost: 1.3 * small,
    },
  })
}
