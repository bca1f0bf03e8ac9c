// From the request of `POST /presentations` to its 202: row, lease, first event and quota in one transaction. Target: within 50 ms.
// Peer: a bare Fastify route with one INSERT.
import type { Ground } from './ground.ts'
import { ms, percentile, type Result } from './measure.ts'

const targetMs = 50

export async function measureAccept({ intake, peers, token }: Ground, { posts }: { posts: number }): Promise<Result[]> {
  const body = JSON.stringify({ content: 'The bridge is repaired in May. The ferry runs until then.', n_slides: 2 })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
  const ours: number[] = []
  const theirs: number[] = []
  for (let n = 0; n < posts; n += 1) {
    theirs.push(await time(`${peers}/bare`, { headers, body }))
    ours.push(await time(`${intake}/api/v1/presentations`, { headers, body }))
  }
  const result = (name: string, share: number): Result => {
    const own = percentile(ours, share)
    const peer = percentile(theirs, share)
    return {
      measure: `POST /presentations to 202, ${name}`,
      gateway: ms(own),
      peer: `one INSERT ${ms(peer)}`,
      ratio: own / peer,
      target: `≤ ${ms(targetMs)}`,
      isMet: own <= targetMs,
    }
  }
  return [result('p50', 0.5), result('p95', 0.95)]
}

async function time(url: string, { headers, body }: { headers: Record<string, string>; body: string }): Promise<number> {
  const since = performance.now()
  const response = await fetch(url, { method: 'POST', headers, body })
  await response.arrayBuffer()
  const took = performance.now() - since
  if (response.status !== 202) throw new Error(`${url} answered ${response.status}`)
  return took
}
