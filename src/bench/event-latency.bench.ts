// From upstream's write of an event to a reader's read of it, durable in Postgres in between. Target: the first within 50 ms.
// Peer: @fastify/http-proxy in front of the same upstream, which stores nothing.
import type { Ground } from './ground.ts'
import { ms, percentile, type Result } from './measure.ts'
import { readBeats } from './metronome.ts'

const targetMs = 50

export async function measureEventLatency({ gateway, peers, token }: Ground, { runs }: { runs: number }): Promise<Result[]> {
  const ours = { first: [] as number[], all: [] as number[] }
  const theirs = { first: [] as number[], all: [] as number[] }
  // In turn, so that both meet the machine in the same moods.
  for (let n = 0; n < runs; n += 1) {
    await readRun(`${peers}/api/v1/ppt/presentation/stream/${n}`, {}, theirs)
    await readOurs(gateway, token, ours)
  }
  const result = (measure: string, own: number, peer: number, target: number): Result => ({
    measure,
    gateway: ms(own),
    peer: `http-proxy ${ms(peer)}`,
    ratio: own / peer,
    target: `≤ ${ms(target)}`,
    isMet: own <= target,
  })
  return [
    result('first event, write to read, p50', percentile(ours.first, 0.5), percentile(theirs.first, 0.5), targetMs),
    result('first event, write to read, max', Math.max(...ours.first), Math.max(...theirs.first), targetMs),
    result('every event, write to read, p50', percentile(ours.all, 0.5), percentile(theirs.all, 0.5), targetMs),
    result('every event, write to read, p99', percentile(ours.all, 0.99), percentile(theirs.all, 0.99), targetMs),
  ]
}

async function readOurs(gateway: string, token: string, into: { first: number[]; all: number[] }): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  const accepted = await fetch(`${gateway}/api/v1/presentations`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ content: 'The bridge is repaired in May. The ferry runs until then.', n_slides: 2 }),
  })
  const { id } = (await accepted.json()) as { id: string }
  await readRun(`${gateway}/api/v1/presentations/${id}/events`, headers, into)
  const cancelled = await fetch(`${gateway}/api/v1/presentations/${id}/cancel`, { method: 'POST', headers })
  await cancelled.arrayBuffer()
}

async function readRun(url: string, headers: Record<string, string>, into: { first: number[]; all: number[] }): Promise<void> {
  const leaving = new AbortController()
  const delays: number[] = []
  let isStopped = false
  const response = await fetch(url, { headers, signal: leaving.signal })
  const quiet = setTimeout(() => leaving.abort(), 30_000)
  await readBeats(
    response,
    (delay) => {
      delays.push(delay)
      isStopped = delays.length >= 20
    },
    () => isStopped,
  )
  clearTimeout(quiet)
  leaving.abort()
  into.all.push(...delays)
  if (delays[0] !== undefined) into.first.push(delays[0])
}
