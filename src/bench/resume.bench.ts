// Resuming a log of 50,000 events of about half a KiB at its end, its middle and its start, and one
// of 5,000: the first byte, the events a second of the whole, and the memory that it takes. No
// peer: a proxy keeps nothing that could be resumed. The memory's peer is that of as many events
// read from the log of 5,000: what is bounded does not grow with the log. Target: first byte ≤ 20
// ms, ≥ 50,000 events/s, memory ≤ 1.25 ×.
import { randomUUID } from 'node:crypto'
import type { Ground } from './ground.ts'
import { judge, type Measure, mib, ms, percentile, perSecond, type Result } from './measure.ts'
import type { Program } from './programs.ts'
import { forgetPeak, memoryBytes, peakBytes } from './usage.ts'

const database = 'logs'

export const resume: Measure = {
  name: 'resume',
  async run(ground, { isQuick }) {
    const long = isQuick ? 10_000 : 50_000
    const logs = { long: await writeLog(ground, long), short: await writeLog(ground, long / 10) }
    const gateway = await ground.startGateway({ database, env: { WORKER: 'false' } })
    const headers = { authorization: `Bearer ${await ground.token()}` }
    const read = (id: string, after: number) => readLog(gateway, { id, after, headers })
    try {
      await read(logs.short, 0)
      const before = memoryBytes(gateway.pid)
      const grownBy = async (work: () => Promise<void>) => {
        forgetPeak(gateway.pid)
        await work()
        return peakBytes(gateway.pid) - before
      }
      const rounds = Array.from({ length: isQuick ? 2 : 7 })
      const found = {
        end: [] as number[],
        middle: [] as number[],
        start: [] as number[],
        whole: [] as number[],
        short: [] as number[],
      }
      const shortMemory = await grownBy(async () => {
        for (const _ of rounds)
          for (let n = 0; n < 10; n += 1) found.short.push((await read(logs.short, 0)).perSecond)
      })
      const memory = await grownBy(async () => {
        for (const _ of rounds) {
          const whole = await read(logs.long, 0)
          found.start.push(whole.firstByteMs)
          found.whole.push(whole.perSecond)
        }
      })
      for (const _ of rounds) {
        found.end.push((await read(logs.long, long - 10)).firstByteMs)
        found.middle.push((await read(logs.long, long / 2)).firstByteMs)
      }
      return results({ ...found, memory, shortMemory, long })
    } finally {
      await gateway.end()
    }
  },
}

/** A finished run's log, as the gateway would have left it. */
async function writeLog(ground: Ground, count: number): Promise<string> {
  const id = randomUUID()
  const client = await ground.connect(database)
  await client.query(
    `insert into gateway.presentations (id, user_id, status, run_format, template, language, n_slides, export_as, brief, turn, queued_at,
       run_started_at, ended_at) values ($1, 'bench', 'completed', 'pptx', 'general', 'English', 8, 'pptx', '{}', 1, now(), now(), now())`,
    [id],
  )
  await client.query('insert into gateway.leases (presentation_id, last_seq) values ($1, $2)', [
    id,
    count,
  ])
  await client.query(
    `insert into gateway.events (presentation_id, seq, run, terminal, data)
     select $1, n, 1, n = $2, case when n = $2 then '{"type":"complete","presentation":{},"run":1}'
       else json_build_object('type', 'chunk', 'chunk', repeat('a slide of words ', 25), 'run', 1, 'stage', 'slides', 'n', n)::text end
     from generate_series(1, $2) n`,
    [id, count],
  )
  await client.query('vacuum analyze gateway.events')
  await client.end()
  return id
}

interface Wanted {
  id: string
  after: number
  headers: Record<string, string>
}

async function readLog({ url }: Program, { id, after, headers }: Wanted) {
  const since = performance.now()
  const answer = await fetch(`${url}/api/v1/presentations/${id}/events`, {
    headers: { ...headers, 'last-event-id': String(after) },
  })
  let firstByteMs = 0
  let events = 0
  const mark = Buffer.from('\nid: ')
  for await (const part of answer.body ?? []) {
    const bytes = Buffer.from(part as Uint8Array)
    // The reconnection time comes at once; what counts is the first event.
    if (firstByteMs === 0 && bytes.includes('data: ')) firstByteMs = performance.now() - since
    for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + 5)) events += 1
  }
  return { firstByteMs, events, perSecond: (events / (performance.now() - since)) * 1000 }
}

interface Found {
  end: number[]
  middle: number[]
  start: number[]
  whole: number[]
  short: number[]
  memory: number
  shortMemory: number
  long: number
}

function results({ end, middle, start, whole, short, memory, shortMemory, long }: Found): Result[] {
  const name = `a log of ${long.toLocaleString('en')}`
  const first = (place: string, values: number[]) =>
    judge({
      measure: `resume ${name} at its ${place}, first event`,
      own: percentile(values, 0.5),
      unit: ms,
      target: '≤ 20 ms',
      atMost: 20,
    })
  const rate = (label: string, values: number[]) =>
    judge({
      measure: `read ${label} whole`,
      own: percentile(values, 0.5),
      unit: perSecond,
      target: '≥ 50,000/s',
      atLeast: 50_000,
    })
  return [
    first('end', end),
    first('middle', middle),
    first('start', start),
    rate(name, whole),
    rate(`a log of ${(long / 10).toLocaleString('en')}`, short),
    {
      ...judge({
        measure: `memory to read ${name}`,
        ...{
          own: memory,
          peer: shortMemory,
          peerName: 'ten of a tenth',
          unit: mib,
          target: '≤ 1.25 ×',
        },
      }),
      isMet: memory <= 1.25 * shortMemory,
      off: memory / (1.25 * shortMemory),
    },
  ]
}
