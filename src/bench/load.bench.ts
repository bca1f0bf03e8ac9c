// The load scenario: 100 briefs a minute of 5 slides. A reader follows each to its end, while its
// owner reads it and lists presentations. No peer. Target: errors < 1 %, p95 of responses < 800 ms,
// p95 of a deck < 30 s. Takes one minute, ten with `--load`.
import { setTimeout as delay } from 'node:timers/promises'
import {
  count as asCount,
  type Benchmark,
  createResult,
  ms,
  percent,
  percentile,
} from './benchmark.ts'
import { postBrief } from './runs.ts'

const intervalMs = 600
const users = 20
const content =
  'The bridge is repaired in May. The ferry runs until then. Tickets stay as they are. The path is closed. The mayor speaks.'

export const load: Benchmark = {
  name: 'load',
  async run(environment, { isQuick, isLoad }) {
    const minutes = isQuick ? 0.05 : isLoad ? 10 : 1
    const gateway = await environment.startGateway({
      database: 'loaded',
      env: { MAX_RUNNING: '8', MAX_RUNNING_PER_USER: '2' },
    })
    const tokens = await Promise.all(
      Array.from({ length: users }, (_, n) => environment.token(`user-${n}`)),
    )
    const responsesMs: number[] = []
    const decksMs: number[] = []
    let requests = 0
    let errors = 0

    async function measureRequest<T>(send: () => Promise<T>): Promise<T | undefined> {
      const since = performance.now()
      requests += 1
      try {
        return await send()
      } catch {
        errors += 1
        return undefined
      } finally {
        responsesMs.push(performance.now() - since)
      }
    }

    async function get(path: string, token: string): Promise<void> {
      const response = await fetch(`${gateway.url}/api/v1${path}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      await response.arrayBuffer()
      if (!response.ok) throw new Error(`${path} responded with ${response.status}`)
    }

    async function follow(id: string, token: string): Promise<void> {
      const response = await fetch(`${gateway.url}/api/v1/presentations/${id}/events`, {
        headers: { authorization: `Bearer ${token}` },
      })
      const text = await response.text()
      if (!text.includes('"type":"complete"'))
        throw new Error(`a deck was not finished: ${text.slice(-500)}`)
    }

    async function makeDeck(n: number): Promise<void> {
      const token = tokens[n % users] ?? ''
      const since = performance.now()
      const id = await measureRequest(() => postBrief(gateway.url, token, { content, n_slides: 5 }))
      if (id === undefined) return
      const reads = Promise.all([
        measureRequest(() => get(`/presentations/${id}`, token)),
        measureRequest(() => get('/presentations', token)),
      ])
      requests += 1
      await follow(id, token).then(
        () => decksMs.push(performance.now() - since),
        () => (errors += 1),
      )
      await reads
    }

    try {
      const decks: Promise<void>[] = []
      const startMs = performance.now()
      for (let n = 0; n * intervalMs < minutes * 60_000; n += 1) {
        decks.push(makeDeck(n))
        await delay(Math.max(0, startMs + (n + 1) * intervalMs - performance.now()))
      }
      await Promise.all(decks)
    } finally {
      await gateway.stop()
    }
    const label = `100 briefs a minute for ${minutes} min`
    return [
      createResult({
        measure: `${label}: finished decks`,
        own: decksMs.length,
        format: asCount,
        target: 'stated',
      }),
      createResult({
        measure: `${label}: errors`,
        own: errors / requests,
        format: percent,
        target: '< 1 %',
        atMost: 0.01,
      }),
      createResult({
        measure: `${label}: responses, p95`,
        own: percentile(responsesMs, 0.95),
        format: ms,
        target: '< 800 ms',
        atMost: 800,
      }),
      createResult({
        measure: `${label}: a deck of 5 slides, p95`,
        own: percentile(decksMs, 0.95),
        format: ms,
        target: '< 30 s',
        atMost: 30_000,
      }),
    ]
  },
}
