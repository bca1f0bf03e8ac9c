// Resuming logs of 50,000 and 5,000 events of half a KiB. No peer, since a proxy stores nothing.
// The memory is compared with as many events of the short log: it must not grow with the log.
// Target: first event ≤ 20 ms, ≥ 50,000 events/s, memory ≤ 1.25 ×.
import { randomUUID } from 'node:crypto'
import {
  type Benchmark,
  createResult,
  mib,
  ms,
  percentile,
  perSecond,
  type Result,
} from './benchmark.ts'
import type { BenchEnvironment } from './environment.ts'
import { memoryBytes, peakMemoryBytes, resetPeakMemory } from './process-usage.ts'
import type { Program } from './programs.ts'
import { insertFinishedLog } from './rows.ts'

const database = 'logs'

export const resume: Benchmark = {
  name: 'resume',
  async run(environment, { isQuick }) {
    const events = isQuick ? 10_000 : 50_000
    const longLog = await writeLog(environment, events)
    const shortLog = await writeLog(environment, events / 10)
    const gateway = await environment.startGateway({ database, env: { WORKER: 'false' } })
    const headers = { authorization: `Bearer ${await environment.token()}` }
    const read = (id: string, after: number) => readLog(gateway, { id, after, headers })
    try {
      await read(shortLog, 0)
      const before = memoryBytes(gateway.pid)
      const measureMemory = async (work: () => Promise<void>) => {
        resetPeakMemory(gateway.pid)
        await work()
        return peakMemoryBytes(gateway.pid) - before
      }
      const rounds = Array.from({ length: isQuick ? 2 : 7 })
      const found = {
        end: [] as number[],
        middle: [] as number[],
        start: [] as number[],
        longRates: [] as number[],
        shortRates: [] as number[],
      }
      const shortMemory = await measureMemory(async () => {
        for (const _ of rounds)
          for (let n = 0; n < 10; n += 1) found.shortRates.push((await read(shortLog, 0)).perSecond)
      })
      const memory = await measureMemory(async () => {
        for (const _ of rounds) {
          const whole = await read(longLog, 0)
          found.start.push(whole.firstEventMs)
          found.longRates.push(whole.perSecond)
        }
      })
      for (const _ of rounds) {
        found.end.push((await read(longLog, events - 10)).firstEventMs)
        found.middle.push((await read(longLog, events / 2)).firstEventMs)
      }
      return createResults({ ...found, memory, shortMemory, events })
    } finally {
      await gateway.stop()
    }
  },
}

async function writeLog(environment: BenchEnvironment, count: number): Promise<string> {
  const id = randomUUID()
  const client = await environment.connect(database)
  await insertFinishedLog(client, { id, count })
  await client.end()
  return id
}

interface ReadOptions {
  id: string
  after: number
  headers: Record<string, string>
}

async function readLog({ url }: Program, { id, after, headers }: ReadOptions) {
  const since = performance.now()
  const response = await fetch(`${url}/api/v1/presentations/${id}/events`, {
    headers: { ...headers, 'last-event-id': String(after) },
  })
  let firstEventMs = 0
  let events = 0
  const startOfEvent = Buffer.from('\nid: ')
  for await (const part of response.body ?? []) {
    const bytes = Buffer.from(part as Uint8Array)
    // The retry time is sent before the first event, and does not count.
    if (firstEventMs === 0 && bytes.includes('data: ')) firstEventMs = performance.now() - since
    for (let at = bytes.indexOf(startOfEvent); at !== -1; at = bytes.indexOf(startOfEvent, at + 5))
      events += 1
  }
  return { firstEventMs, events, perSecond: (events / (performance.now() - since)) * 1000 }
}

interface Found {
  /** Times to the first event in ms, by where the log was resumed. */
  end: number[]
  middle: number[]
  start: number[]
  /** Events per second. */
  longRates: number[]
  shortRates: number[]
  memory: number
  shortMemory: number
  /** Of the long log. */
  events: number
}

function createResults(found: Found): Result[] {
  const { memory, shortMemory, events } = found
  const label = `a log of ${events.toLocaleString('en')} events`
  const shortLabel = `a log of ${(events / 10).toLocaleString('en')} events`
  const firstEvent = (position: string, values: number[]) =>
    createResult({
      measure: `resume ${label} at its ${position}, first event`,
      own: percentile(values, 0.5),
      format: ms,
      target: '≤ 20 ms',
      atMost: 20,
    })
  const rate = (name: string, values: number[]) =>
    createResult({
      measure: `read ${name} from start to end`,
      own: percentile(values, 0.5),
      format: perSecond,
      target: '≥ 50,000/s',
      atLeast: 50_000,
    })
  return [
    firstEvent('end', found.end),
    firstEvent('middle', found.middle),
    firstEvent('start', found.start),
    rate(label, found.longRates),
    rate(shortLabel, found.shortRates),
    createResult({
      measure: `memory to read ${label}`,
      own: memory,
      peer: shortMemory,
      peerName: '10 short logs',
      format: mib,
      target: '≤ 1.25 ×',
      atMost: 1.25 * shortMemory,
    }),
  ]
}
