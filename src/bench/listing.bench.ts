// Lists and reads with 1,000,000 presentations in the table, 10,000 of them one user's. Peer: the
// same gateway with 1,000 presentations, 100 of them the user's. Target: ≤ 1.3 × for the median of
// each kind of request.
import { type Benchmark, createResult, ms, percentile, type Result } from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { insertPresentations, type RowsOptions } from './rows.ts'

export const listing: Benchmark = {
  name: 'listing',
  async run(environment, { isQuick }) {
    const rows = { count: isQuick ? 10_000 : 1_000_000, own: isQuick ? 200 : 10_000 }
    const small = await openTable(environment, 'few', { count: 1_000, own: 100 })
    const large = await openTable(environment, 'many', rows)
    const rounds = isQuick ? 30 : 400
    const results: Result[] = []
    try {
      for (const kind of kinds)
        results.push(await compare({ kind, small, large, rowCount: rows.count, rounds }))
    } finally {
      await Promise.all([small.stop(), large.stop()])
    }
    return results
  },
}

const kinds = ['first page', 'middle page', 'page of failed presentations', 'get by id'] as const

type Table = Awaited<ReturnType<typeof openTable>>

async function openTable(environment: BenchEnvironment, database: string, rows: RowsOptions) {
  const client = await environment.connect(database)
  await insertPresentations(client, rows)
  const { rows: found } = await client.query<{ id: string }>(
    `select id from gateway.presentations where user_id = 'bench' order by created_at offset $1 limit 1`,
    [rows.own / 2],
  )
  await client.end()
  const gateway = await environment.startGateway({ database, env: { WORKER: 'false' } })
  const headers = { authorization: `Bearer ${await environment.token()}` }
  const base = `${gateway.url}/api/v1/presentations`
  const firstPage = (await (await fetch(`${base}?limit=40`, { headers })).json()) as {
    next_cursor: string
  }
  const paths: Record<(typeof kinds)[number], string> = {
    'first page': '',
    'middle page': `?cursor=${firstPage.next_cursor}`,
    'page of failed presentations': '?status=failed&limit=5',
    'get by id': `/${found[0]?.id}`,
  }
  return {
    /** The response time in ms. */
    async measure(kind: (typeof kinds)[number]): Promise<number> {
      const since = performance.now()
      const response = await fetch(`${base}${paths[kind]}`, { headers })
      await response.arrayBuffer()
      if (response.status !== 200)
        throw new Error(`the gateway responded to "${kind}" with ${response.status}`)
      return performance.now() - since
    },
    stop: () => gateway.stop(),
  }
}

interface Comparison {
  kind: (typeof kinds)[number]
  small: Table
  large: Table
  /** Of the large table. */
  rowCount: number
  rounds: number
}

const warmUpRounds = 20

async function compare({ kind, small, large, rowCount, rounds }: Comparison): Promise<Result> {
  const own: number[] = []
  const peer: number[] = []
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    const [ownMs, peerMs] = [await large.measure(kind), await small.measure(kind)]
    if (round < 0) continue
    own.push(ownMs)
    peer.push(peerMs)
  }
  const peerMedian = percentile(peer, 0.5)
  return createResult({
    measure: `${kind}, of ${rowCount.toLocaleString('en')} rows, p50`,
    own: percentile(own, 0.5),
    peer: peerMedian,
    peerName: 'of 1,000',
    format: ms,
    target: '≤ 1.3 ×',
    atMost: 1.3 * peerMedian,
  })
}
