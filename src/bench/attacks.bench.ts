// The effect of attacks on another user, who lists, reads and posts at a modest rate. The rate
// limit is off, since its default ends most floods with 429. Peer: the same requests without an
// attack. Target: p99 ≤ 10 ×, and no request fails.
import { Agent, request } from 'undici'
import { type Attack, attacks } from './attack-kinds.ts'
import {
  count as asCount,
  type Benchmark,
  createResult,
  kib,
  ms,
  percentile,
  type Result,
} from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { memoryBytes, openFilesLimit } from './process-usage.ts'
import { type Program, scriptArguments, startProgram } from './programs.ts'
import { emptyQueueRegularly } from './queue.ts'

const maxRatio = 10
// For the user's connections, the database and the gateway's own files.
const reservedFiles = 500
const perSecond = 60
const timeoutMs = 10_000

export const attackImpact: Benchmark = {
  name: 'attacks',
  async run(environment, { isQuick }) {
    const database = 'attacked'
    const gateway = await environment.startGateway({ database, env: { WORKER: 'false' } })
    const queue = emptyQueueRegularly(await environment.connect(database))
    const user = await openUser(gateway.url, await environment.token())
    const withoutAttack: UserRequests = { responseTimesMs: [], errors: [] }
    const results: Result[] = []
    try {
      await user.send(perSecond)
      // A quick run only shows that this benchmark works, for which a few attacks suffice.
      const chosen = attacks.filter((_, index) => !isQuick || index % 5 === 0)
      for (const attack of chosen)
        results.push(
          ...(await measure({
            environment,
            gateway,
            user,
            withoutAttack,
            attack,
            isQuick,
            count: perSecond * (isQuick ? 1 : 6),
          })),
        )
    } finally {
      await user.close()
      await queue.stop()
      await gateway.stop()
    }
    return results
  },
}

interface UserRequests {
  responseTimesMs: number[]
  errors: string[]
}

interface MeasureOptions {
  environment: BenchEnvironment
  gateway: Program
  user: Awaited<ReturnType<typeof openUser>>
  /** The user's requests between the attacks so far. */
  withoutAttack: UserRequests
  attack: Attack
  isQuick: boolean
  /** How many requests the user sends during the attack. */
  count: number
}

async function measure({
  environment,
  gateway,
  user,
  withoutAttack,
  attack,
  isQuick,
  count,
}: MeasureOptions): Promise<Result[]> {
  const before = await user.send(count / 3)
  withoutAttack.responseTimesMs.push(...before.responseTimesMs)
  withoutAttack.errors.push(...before.errors)
  const most = Math.min(attack.connections, openFilesLimit() - reservedFiles)
  const connections = isQuick && most > 100 ? Math.ceil(most / 10) : most
  const memoryBefore = memoryBytes(gateway.pid)
  const attacker = await startProgram({
    args: scriptArguments('./attacker.ts'),
    env: {
      TARGET: gateway.url,
      KIND: attack.name,
      CONNECTIONS: String(connections),
      TOKEN: await environment.token('attacker'),
    },
  })
  try {
    const underAttack = await user.send(count)
    const addedMemory = memoryBytes(gateway.pid) - memoryBefore
    const counts = (await (await fetch(attacker.url)).json()) as { open: number }
    console.error(`${attack.name}: ${JSON.stringify(counts)}`)
    if (!attack.isFlood && !attack.isRefused && counts.open < connections / 2)
      throw new Error(`only ${counts.open} of ${connections} connections stayed open`)
    const label = `legitimate requests during ${attack.name} (${connections.toLocaleString('en')} connections)`
    const results = compare({ label, count, underAttack, withoutAttack })
    if (!attack.isIdle) return results
    const memory = createResult({
      measure: `memory per connection of ${attack.name} (${connections.toLocaleString('en')})`,
      own: addedMemory / counts.open,
      format: kib,
      target: '–',
    })
    return [...results, memory]
  } finally {
    await attacker.stop()
  }
}

interface Comparison {
  label: string
  count: number
  underAttack: UserRequests
  withoutAttack: UserRequests
}

function compare({ label, count, underAttack, withoutAttack }: Comparison): Result[] {
  const timing = (share: number) => ({
    own: percentile(underAttack.responseTimesMs, share),
    peer: percentile(withoutAttack.responseTimesMs, share),
    peerName: 'without attack',
    format: ms,
  })
  const p99 = timing(0.99)
  const failed = underAttack.errors.length
  if (failed > 0) console.error(`${label}: ${failed} failed, the first: ${underAttack.errors[0]}`)
  return [
    createResult({ ...timing(0.5), measure: `${label}, p50`, target: '–' }),
    createResult({
      ...p99,
      measure: `${label}, p99`,
      target: `≤ ${maxRatio} ×`,
      atMost: maxRatio * p99.peer,
    }),
    {
      // One failed request misses the target. It takes many to count as a collapse.
      ...createResult({
        measure: `${label}, failed of ${count}`,
        own: failed,
        peer: withoutAttack.errors.length,
        peerName: 'without attack',
        format: asCount,
        target: 'none',
        atMost: Math.max(count / 20, 1),
      }),
      ratio: null,
      isMet: failed === 0,
    },
  ]
}

/** One user who lists, reads and posts in rotation. Each request is timed from when it is due. */
async function openUser(url: string, token: string) {
  const dispatcher = new Agent({ connections: 50 })
  const path = `${url}/api/v1/presentations`
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ content: 'The bridge is repaired in May.', n_slides: 2 })
  const post = { method: 'POST', body } as const
  const created = (await (await fetch(path, { ...post, headers })).json()) as { id: string }
  const kinds = [
    { url: path, options: {}, status: 200 },
    { url: `${path}/${created.id}`, options: {}, status: 200 },
    { url: path, options: post, status: 202 },
  ]

  async function send(count: number): Promise<UserRequests> {
    const responseTimesMs: number[] = []
    const errors: string[] = []
    const pending: Promise<void>[] = []
    const startMs = performance.now()

    async function sendOne(n: number, dueMs: number): Promise<void> {
      const kind = kinds[n % kinds.length]
      if (!kind) return
      try {
        const signal = AbortSignal.timeout(timeoutMs)
        const response = await request(kind.url, { ...kind.options, headers, dispatcher, signal })
        const text = await response.body.text()
        if (response.statusCode !== kind.status)
          errors.push(`${response.statusCode} ${text.slice(0, 300)}`)
      } catch (error) {
        errors.push(String(error))
      }
      responseTimesMs.push(performance.now() - dueMs)
    }
    for (let sent = 0; sent < count; sent += 1) {
      const dueMs = startMs + (sent * 1000) / perSecond
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
      pending.push(sendOne(sent, dueMs))
    }
    await Promise.all(pending)
    return { responseTimesMs, errors }
  }
  return { send, close: () => dispatcher.destroy() }
}
