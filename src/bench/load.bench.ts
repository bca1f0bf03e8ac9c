// The load scenario: 100 briefs a minute of 5 slides, each followed by a reader to its end, while
// their owners look at them and at their lists. No peer. Target: errors < 1 %, P95 of answers < 800
// ms, a deck < 30 s. A minute of it; ten with `--load`.
import { setTimeout as delay } from 'node:timers/promises'
import { judge, type Measure, ms, percent, percentile, plain } from './measure.ts'
import { accept } from './runs.ts'

const everyMs = 600
const users = 20
const content =
  'The bridge is repaired in May. The ferry runs until then. Tickets stay as they are. The path is closed. The mayor speaks.'

export const load: Measure = {
  name: 'load',
  async run(ground, { isQuick, isLoad }) {
    const minutes = isQuick ? 0.05 : isLoad ? 10 : 1
    const gateway = await ground.startGateway({
      database: 'loaded',
      env: { MAX_RUNNING: '8', MAX_RUNNING_PER_USER: '2' },
    })
    const tokens = await Promise.all(
      Array.from({ length: users }, (_, n) => ground.token(`user-${n}`)),
    )
    const answers: number[] = []
    const decks: number[] = []
    let asked = 0
    let errors = 0

    async function timed<T>(work: () => Promise<T>): Promise<T | undefined> {
      const since = performance.now()
      asked += 1
      try {
        return await work()
      } catch {
        errors += 1
        return undefined
      } finally {
        answers.push(performance.now() - since)
      }
    }

    async function get(path: string, token: string): Promise<void> {
      const answer = await fetch(`${gateway.url}/api/v1${path}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      await answer.arrayBuffer()
      if (!answer.ok) throw new Error(`${path} was answered ${answer.status}`)
    }

    async function follow(id: string, token: string): Promise<void> {
      const answer = await fetch(`${gateway.url}/api/v1/presentations/${id}/events`, {
        headers: { authorization: `Bearer ${token}` },
      })
      const text = await answer.text()
      if (!text.includes('"type":"complete"'))
        throw new Error(`a deck was not finished: ${text.slice(-500)}`)
    }

    async function onePerson(n: number): Promise<void> {
      const token = tokens[n % users] ?? ''
      const since = performance.now()
      const id = await timed(() => accept(gateway.url, token, { content, n_slides: 5 }))
      if (id === undefined) return
      const looking = Promise.all([
        timed(() => get(`/presentations/${id}`, token)),
        timed(() => get('/presentations', token)),
      ])
      asked += 1
      await follow(id, token).then(
        () => decks.push(performance.now() - since),
        () => (errors += 1),
      )
      await looking
    }

    try {
      const people: Promise<void>[] = []
      const startMs = performance.now()
      for (let n = 0; n * everyMs < minutes * 60_000; n += 1) {
        people.push(onePerson(n))
        await delay(Math.max(0, startMs + (n + 1) * everyMs - performance.now()))
      }
      await Promise.all(people)
    } finally {
      await gateway.end()
    }
    const name = `100 briefs a minute for ${minutes} min`
    return [
      judge({
        measure: `${name}: decks finished`,
        own: decks.length,
        unit: plain,
        target: 'stated',
      }),
      judge({
        measure: `${name}: errors`,
        own: errors / asked,
        unit: percent,
        target: '< 1 %',
        atMost: 0.01,
      }),
      judge({
        measure: `${name}: answers, p95`,
        own: percentile(answers, 0.95),
        unit: ms,
        target: '< 800 ms',
        atMost: 800,
      }),
      judge({
        measure: `${name}: a deck of 5 slides, p95`,
        own: percentile(decks, 0.95),
        unit: ms,
        target: '< 30 s',
        atMost: 30_000,
      }),
    ]
  },
}
