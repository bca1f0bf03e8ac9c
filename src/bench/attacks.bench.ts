// What the honest notice of an attack: lists, gets and posts of one user at a modest rate, while
// another process holds or floods the gateway. The rate limit is as wide as every limit here: with
// its default most floods would end at 429. Peer: the same requests to the same gateway before
// each. Loose target: p99 ≤ 10 ×, and no honest request fails.
import { Agent, request } from 'undici'
import { type Attack, attacks } from './attack-kinds.ts'
import type { Ground } from './ground.ts'
import { judge, kib, type Measure, ms, percentile, plain, type Result } from './measure.ts'
import { type Program, script, startProgram } from './programs.ts'
import { memoryBytes, openFilesLimit } from './usage.ts'

const loose = 10
// The gateway needs some for the honest, the database and itself.
const spareFiles = 500
const perSecond = 60
const patienceMs = 10_000

export const attacksBench: Measure = {
  name: 'attacks',
  async run(ground, { isQuick }) {
    const database = 'attacked'
    const gateway = await ground.startGateway({ database, env: { WORKER: 'false' } })
    const client = await ground.connect(database)
    const draining = setInterval(() => {
      void client
        .query(
          `update gateway.presentations set status = 'completed', ended_at = now() where status = 'queued'`,
        )
        .catch(() => undefined)
    }, 200)
    const honest = await openHonest(gateway.url, await ground.token())
    const calm: Honest = { times: [], failed: [] }
    const results: Result[] = []
    try {
      await honest.ask(perSecond)
      // Which of them it is, is for the test of each to say; a short look is enough that the
      // machinery of this one works.
      const chosen = attacks.filter((_, index) => !isQuick || index % 5 === 0)
      for (const attack of chosen)
        results.push(
          ...(await measure({
            ground,
            gateway,
            honest,
            calm,
            attack,
            isQuick,
            count: perSecond * (isQuick ? 1 : 6),
          })),
        )
    } finally {
      clearInterval(draining)
      await honest.close()
      await client.end()
      await gateway.end()
    }
    return results
  },
}

interface Honest {
  times: number[]
  failed: string[]
}

interface Attacked {
  ground: Ground
  gateway: Program
  honest: Awaited<ReturnType<typeof openHonest>>
  /** What the honest noticed between the attacks so far. */
  calm: Honest
  attack: Attack
  isQuick: boolean
  count: number
}

async function measure({
  ground,
  gateway,
  honest,
  calm,
  attack,
  isQuick,
  count,
}: Attacked): Promise<Result[]> {
  const before = await honest.ask(count / 3)
  calm.times.push(...before.times)
  calm.failed.push(...before.failed)
  const most = Math.min(attack.connections, openFilesLimit() - spareFiles)
  const connections = isQuick && most > 100 ? Math.ceil(most / 10) : most
  const bytesBefore = memoryBytes(gateway.pid)
  const attacker = await startProgram({
    args: script('./attacker.ts'),
    env: {
      TARGET: gateway.url,
      KIND: attack.name,
      CONNECTIONS: String(connections),
      TOKEN: await ground.token('attacker'),
    },
  })
  try {
    const under = await honest.ask(count)
    const grown = memoryBytes(gateway.pid) - bytesBefore
    const tally = (await (await fetch(attacker.url)).json()) as {
      open: number
      sent: number
      answers: object
    }
    console.error(`${attack.name}: ${JSON.stringify(tally)}`)
    if (!attack.isFlood && !attack.isRefused && tally.open < connections / 2)
      throw new Error(`only ${tally.open} of ${connections} stayed open`)
    const name = `honest beside ${attack.name} (${connections.toLocaleString('en')} connections)`
    const p99 = { own: percentile(under.times, 0.99), peer: percentile(calm.times, 0.99) }
    const p50 = { own: percentile(under.times, 0.5), peer: percentile(calm.times, 0.5) }
    const failed = { own: under.failed.length, peer: calm.failed.length }
    if (failed.own > 0)
      console.error(
        `${attack.name}: ${failed.own} honest requests failed, first with ${under.failed[0]}`,
      )
    const shared = { peerName: 'without', unit: ms }
    const weight = judge({
      measure: `memory of a connection, ${name}`,
      own: grown / tally.open,
      unit: kib,
      target: '–',
    })
    const results = [
      judge({ ...shared, ...p50, measure: `${name}, p50`, target: '–' }),
      judge({
        ...shared,
        ...p99,
        measure: `${name}, p99`,
        target: `≤ ${loose} ×`,
        atMost: loose * p99.peer,
      }),
      // One that failed is one in which the target is missed; all of them are a collapse.
      judge({
        ...{
          ...failed,
          measure: `${name}, failed of ${count}`,
          peerName: 'without',
          unit: plain,
          target: 'none',
        },
        atMost: Math.max(count / 20, 1),
      }),
    ].map((result) =>
      result.target === 'none' ? { ...result, ratio: null, isMet: failed.own === 0 } : result,
    )
    return attack.isIdle ? [...results, weight] : results
  } finally {
    await attacker.end()
  }
}

/** One user's list, get and post in turn, each timed from when it was due. */
async function openHonest(url: string, token: string) {
  const dispatcher = new Agent({ connections: 50 })
  const path = `${url}/api/v1/presentations`
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ content: 'The bridge is repaired in May.', n_slides: 2 })
  const post = { method: 'POST', body } as const
  const made = (await (await fetch(path, { ...post, headers })).json()) as { id: string }
  const kinds = [
    { url: path, options: {}, status: 200 },
    { url: `${path}/${made.id}`, options: {}, status: 200 },
    { url: path, options: post, status: 202 },
  ]

  async function ask(count: number): Promise<Honest> {
    const times: number[] = []
    const failed: string[] = []
    const under: Promise<void>[] = []
    const startMs = performance.now()

    async function send(n: number, dueMs: number): Promise<void> {
      const kind = kinds[n % kinds.length]
      if (!kind) return
      try {
        const signal = AbortSignal.timeout(patienceMs)
        const answer = await request(kind.url, { ...kind.options, headers, dispatcher, signal })
        const text = await answer.body.text()
        if (answer.statusCode !== kind.status)
          failed.push(`${answer.statusCode} ${text.slice(0, 300)}`)
      } catch (error) {
        failed.push(String(error))
      }
      times.push(performance.now() - dueMs)
    }
    for (let sent = 0; sent < count; sent += 1) {
      const dueMs = startMs + (sent * 1000) / perSecond
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
      under.push(send(sent, dueMs))
    }
    await Promise.all(under)
    return { times, failed }
  }
  return { ask, close: () => dispatcher.destroy() }
}
