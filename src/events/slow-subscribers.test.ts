// Readers that take little, late, or nothing, and a database that is away: what each of them costs,
// and what becomes of it.
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Channels, createChannels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { claim, type Run } from '../database/leases.ts'
import { createRunLog } from '../database/run-log.ts'
import { Problem } from '../domain/problem.ts'
import { logEvent, openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createHub } from './hub.ts'

const slots = { maxRunning: 1000, maxRunningPerUser: 1000, leaseMs: 60_000 }
const terminal = '{"type":"complete","presentation":{},"run":1}'
const mebibyte = 1024 * 1024
/** What a follower holds at the most: its buffer, one piece more, and a few frames. */
const heldBytes = 96 * 1024

let rows: TestRows
const closing: (() => void)[] = []
beforeAll(async () => {
  rows = await openTestRows()
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
})
afterAll(() => rows.close())

type Watch = (sql: string) => unknown

/** A hub over a database that can be watched and held up, with a clock that is set by hand. */
function openHub({
  before = () => undefined,
  after = () => undefined,
  pollMs = 20,
}: {
  before?: Watch
  after?: Watch
  pollMs?: number
} = {}) {
  const clock = { ms: Date.now() }
  const channels = createChannels(undefined)
  const pages: { rows: number; bytes: number }[] = []
  let polls = 0
  const database: Pick<Database, 'query'> = {
    async query<Row extends object>(sql: string, values?: unknown[]) {
      if (isPoll(sql)) polls += 1
      await before(sql)
      const found = await rows.database.query<Row & { data?: string }>(sql, values)
      if (isPage(sql))
        pages.push({
          rows: found.length,
          bytes: found.reduce((sum, { data }) => sum + (data?.length ?? 0), 0),
        })
      await after(sql)
      return found
    },
  }
  const hub = createHub({
    ...{
      database,
      channels,
      heartbeatMs: 15_000,
      maxStreams: 100,
      maxStreamsPerUser: 100,
      now: () => clock.ms,
      pollMs,
    },
    describe: async ({ id }) => ({ id }),
    describeDownload: async () => null,
    onTrouble: () => undefined,
  })
  closing.push(() => hub.close())
  async function follow(id: string, lastEventId = 0): Promise<Readable> {
    const stream = await hub.follow({ userId: 'alice', id, lastEventId })
    if (!stream) throw new Error('nothing to follow')
    closing.push(() => stream.destroy())
    return stream
  }
  /** The clock goes on, and everybody has looked at it. */
  async function pass(ms: number) {
    clock.ms += ms
    const seen = polls
    await vi.waitFor(() => expect(polls).toBeGreaterThan(seen + 1), { interval: 5 })
  }
  return { hub, channels, pages, pass, follow }
}

/** As from another replica: that there is news, but not the news itself. */
const hintsOf = (channels: Channels): Channels => ({
  ...channels,
  publish: (channel, message) => {
    const { committed: _, ...hint } = { committed: undefined, ...message }
    channels.publish(channel, hint as typeof message)
  },
})

const isPage = (sql: string) => sql.includes('latestRun')
const isPoll = (sql: string) => sql.includes('asked.known')
function withoutPolls(sql: string) {
  if (isPoll(sql)) throw new Problem('DATABASE_UNAVAILABLE')
}

/** A finished log: `queued`, `count` events of about `bytes` bytes, and the last one. */
async function insertLog(count: number, bytes: number): Promise<string> {
  const id = await rows.insert()
  await rows.database.query(
    `with made as (
       insert into gateway.events (presentation_id, seq, run, terminal, data)
       select $1, n + 1, 1, n = $2 + 1, case when n = $2 + 1 then $4 else '{"type":"chunk","run":1,"chunk":"' || repeat('x', $3) || '"}' end
       from generate_series(1, $2 + 1) n
     ), ended as (update gateway.presentations set status = 'completed', ended_at = now() where id = $1)
     update gateway.leases set last_seq = $2 + 2 where presentation_id = $1`,
    [id, count, bytes, terminal],
  )
  return id
}

async function openRun() {
  const id = await rows.insert()
  const run = (await claim(rows.database, slots)) as Run
  return (channels: ReturnType<typeof createChannels>) => ({
    id,
    log: createRunLog({
      database: rows.database,
      channels,
      run,
      signal: new AbortController().signal,
      onLost: () => undefined,
    }),
  })
}

const ids = (stream: string) => [...stream.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
const upTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1)
const turn = () => new Promise(setImmediate)

/** Takes once what is there, as a socket does that has room again. */
async function take(stream: Readable): Promise<string> {
  for (;;) {
    const bytes = stream.read() as Buffer | null
    if (bytes) return bytes.toString()
    await new Promise((resolve) => stream.once('readable', resolve))
  }
}

describe('a long log', () => {
  it('costs a reader one page at a time, and one that stops taking costs nothing more', async () => {
    const id = await insertLog(50_000, 200)
    const { pages, pass, follow } = openHub()
    const stream = await follow(id)
    let seen = await take(stream)
    // It has its fill: nothing is on its way to it any more.
    await vi.waitFor(
      () => expect(stream.readableLength).toBeGreaterThanOrEqual(stream.readableHighWaterMark),
      { interval: 5 },
    )
    const readSoFar = pages.length
    expect(readSoFar).toBeLessThan(5)
    await pass(10)
    expect(pages).toHaveLength(readSoFar)
    expect(stream.readableLength).toBeLessThan(heldBytes)
    let most = 0
    for await (const bytes of stream) {
      most = Math.max(most, stream.readableLength)
      seen += bytes
    }
    expect(ids(seen)).toEqual(upTo(50_002))
    expect(most).toBeLessThan(heldBytes)
    expect(Math.max(...pages.map((page) => page.rows))).toBeLessThanOrEqual(500)
  })

  it('of large events is read by bytes, not by their number', async () => {
    const id = await insertLog(60, 256 * 1024)
    const { pages, follow } = openHub()
    expect(ids(await text(await follow(id)))).toEqual(upTo(62))
    expect(Math.max(...pages.map((page) => page.bytes))).toBeLessThan(1.5 * mebibyte)
  })

  it('is read once for many readers that keep up', async () => {
    const { channels, pages, follow } = openHub()
    const { id, log } = (await openRun())(channels)
    const streams = await Promise.all(Array.from({ length: 30 }, () => follow(id)))
    const texts = streams.map((stream) => text(stream))
    for (let n = 0; n < 20; n += 1) await log.commit({ events: [logEvent(`{"n":${n}}`)] })
    await log.commit({
      events: [logEvent(terminal, true)],
      changes: { status: 'completed' },
      release: true,
    })
    for (const seen of await Promise.all(texts)) expect(ids(seen)).toEqual(upTo(22))
    // One each in the beginning, for those that came while nobody had read yet; then one for all.
    expect(pages.length).toBeLessThan(30 + 2 * 22)
  })

  it('is kept at hand only as far as its latest part: who comes from the start reads for itself', async () => {
    const id = await insertLog(20, 256 * 1024)
    const { pages, follow } = openHub()
    const [first, late] = [await follow(id), await follow(id)]
    expect(ids(await text(first))).toEqual(upTo(22))
    const before = pages.length
    expect(ids(await text(late))).toEqual(upTo(22))
    expect(pages.length).toBeGreaterThan(before + 5)
  })
})

describe('a slow reader', () => {
  it('that takes no byte for a minute is disconnected, and no other', async () => {
    const id = await insertLog(5_000, 200)
    const { hub, pass, follow } = openHub()
    const stuck = await follow(id)
    await take(stuck)
    const moving = await follow(id)
    await take(moving)
    await vi.waitFor(() => expect(moving.readableLength).toBeGreaterThan(0))
    await pass(59_000)
    expect(stuck.destroyed).toBe(false)
    await take(moving)
    await turn()
    await pass(2_000)
    expect(stuck.destroyed).toBe(true)
    expect(moving.destroyed).toBe(false)
    expect(hub.openStreams()).toBe(1)
    expect(ids(await text(moving)).at(-1)).toBe(5_002)
  })

  it('takes an event that is larger than all its buffers, however long that lasts', async () => {
    const id = await insertLog(1, mebibyte)
    const { pass, follow } = openHub()
    const stream = await follow(id)
    let seen = ''
    for (;;) {
      seen += await take(stream)
      if (seen.includes(terminal.slice(0, 18))) break
      await pass(40_000)
    }
    expect(ids(seen + (await text(stream)))).toEqual([1, 2, 3])
  }, 20_000)

  it('whose place was pruned meanwhile gets no gap: it ends, and is told where it stands when it is back', async () => {
    const id = await insertLog(5_000, 200)
    const { follow } = openHub()
    const stream = await follow(id)
    let seen = await take(stream)
    await rows.database.query('delete from gateway.events where presentation_id = $1', [id])
    seen += await text(stream)
    const before = ids(seen)
    expect(before).toEqual(upTo(before.length))
    expect(before.length).toBeLessThan(5_002)
    expect(seen).toMatch(/\n\nretry: \d+\n\n$/)
    expect(ids(await text(await follow(id, before.length)))).toEqual([5_002])
  })
})

describe('a reader far behind', () => {
  it('is not told the end of a run after which another one began', async () => {
    const id = await insertLog(20, 256 * 1024)
    const { follow } = openHub()
    const behind = await follow(id)
    expect(ids(await text(await follow(id)))).toEqual(upTo(22))
    await rows.database.query(
      `update gateway.presentations set run = 2, status = 'queued', run_started_at = null, ended_at = null where id = $1`,
      [id],
    )
    const run = (await claim(rows.database, slots)) as Run
    const signal = new AbortController().signal
    const log = createRunLog({
      database: rows.database,
      channels: createChannels(undefined),
      run,
      signal,
      onLost: () => undefined,
    })
    await log.commit({ events: [logEvent('{"type":"chunk","run":2}')] })
    const seen = text(behind)
    await log.commit({
      events: [logEvent(terminal.replace('1}', '2}'), true)],
      changes: { status: 'failed' },
      release: true,
    })
    expect(ids(await seen)).toEqual([...upTo(21), 23, 24])
  })

  it('whose page cannot be read just now is not left: it goes on once the database is back', async () => {
    const id = await insertLog(20, 256 * 1024)
    let refused = -1
    const { follow } = openHub({
      before(sql) {
        if (refused < 0 || !isPage(sql)) return
        refused += 1
        if (refused < 4) throw new Problem('DATABASE_UNAVAILABLE')
      },
    })
    const behind = await follow(id)
    expect(ids(await text(await follow(id)))).toEqual(upTo(22))
    refused = 0
    expect(ids(await text(behind))).toEqual(upTo(22))
    expect(refused).toBeGreaterThan(3)
  })
})

describe('while the database is away', () => {
  it('streams live on with heartbeats, and go on where they were', async () => {
    let isAway = false
    const { channels, pass, follow } = openHub({
      before() {
        if (isAway) throw new Problem('DATABASE_UNAVAILABLE')
      },
    })
    const { id, log } = (await openRun())(hintsOf(channels))
    const stream = await follow(id)
    let seen = ''
    stream.on('data', (bytes) => (seen += bytes))
    await vi.waitFor(() => expect(ids(seen)).toEqual([1]))
    isAway = true
    await log.commit({ events: [logEvent('{"n":0}')] })
    for (let beats = 1; beats <= 2; beats += 1) {
      await pass(15_000)
      expect(seen.match(/^: $/gm)).toHaveLength(beats)
    }
    expect(ids(seen)).toEqual([1])
    isAway = false
    // No wake comes for what was written meanwhile: the poll finds it.
    await vi.waitFor(() => expect(ids(seen)).toEqual([1, 2]), { timeout: 3_000 })
    await log.commit({
      events: [logEvent(terminal, true)],
      changes: { status: 'completed' },
      release: true,
    })
    await vi.waitFor(() => expect(stream.readableEnded).toBe(true))
    expect(ids(seen)).toEqual([1, 2, 3])
  })
})

describe('news', () => {
  it('of a run in this process is delivered as it was committed, and nothing is read for it', async () => {
    const { channels, pages, follow } = openHub({ before: withoutPolls })
    const { id, log } = (await openRun())(channels)
    const texts = (await Promise.all([follow(id), follow(id)])).map((stream) => text(stream))
    await vi.waitFor(() => expect(pages.length).toBeGreaterThan(0))
    await log.commit({ events: [logEvent('{"n":0}')] })
    const readSoFar = pages.length
    for (let n = 1; n < 50; n += 1) await log.commit({ events: [logEvent(`{"n":${n}}`)] })
    await log.commit({
      events: [logEvent(terminal, true)],
      changes: { status: 'completed' },
      release: true,
    })
    for (const seen of await Promise.all(texts)) {
      expect(ids(seen)).toEqual(upTo(52))
      expect(seen).toContain('data: {"n":49}\n')
    }
    expect(pages).toHaveLength(readSoFar)
  })

  it('that is handed over while the log is being read follows what was read, once and without a gap', async () => {
    let answered = Promise.resolve()
    const { channels, pages, follow } = openHub({
      before: withoutPolls,
      after: (sql) => (isPage(sql) ? answered : undefined),
    })
    const { id, log } = (await openRun())(channels)
    let answer = () => {}
    answered = new Promise((resolve) => (answer = resolve))
    const seen = text(await follow(id))
    await vi.waitFor(() => expect(pages).toHaveLength(1))
    for (let n = 0; n < 5; n += 1) await log.commit({ events: [logEvent(`{"n":${n}}`)] })
    answer()
    await log.commit({
      events: [logEvent(terminal, true)],
      changes: { status: 'completed' },
      release: true,
    })
    expect(ids(await seen)).toEqual(upTo(7))
    expect(pages).toHaveLength(1)
  })

  it('that comes while the log is being read is not forgotten, though no poll tells it again', async () => {
    let answered = Promise.resolve()
    const { channels, follow } = openHub({
      before: withoutPolls,
      after: (sql) => (isPage(sql) ? answered : undefined),
    })
    const { id, log } = (await openRun())(hintsOf(channels))
    let seen = ''
    const stream = await follow(id)
    stream.on('data', (bytes) => (seen += bytes))
    await vi.waitFor(() => expect(ids(seen)).toEqual([1]))
    let answer = () => {}
    answered = new Promise((resolve) => (answer = resolve))
    await log.commit({ events: [logEvent('{"n":0}')] })
    // This look has its answer, and does not know of the next one.
    await rows.database.query('select 1')
    await log.commit({ events: [logEvent('{"n":1}')] })
    answer()
    await vi.waitFor(() => expect(ids(seen)).toEqual([1, 2, 3]))
  })

  it('that was told while nobody listened is looked for as soon as somebody listens again', async () => {
    const { channels, follow } = openHub({ pollMs: 3_600_000 })
    // Written by another replica, which this one could not hear.
    const { id, log } = (await openRun())(createChannels(undefined))
    let seen = ''
    const stream = await follow(id)
    stream.on('data', (bytes) => (seen += bytes))
    await vi.waitFor(() => expect(ids(seen)).toEqual([1]))
    await log.commit({ events: [logEvent('{"n":0}')] })
    channels.reportMissed()
    await vi.waitFor(() => expect(ids(seen)).toEqual([1, 2]))
  })

  it('that comes during a look for news is looked for once more', async () => {
    let answered = Promise.resolve()
    let looks = 0
    const after = (sql: string) => {
      if (isPoll(sql)) looks += 1
      return isPoll(sql) ? answered : undefined
    }
    const { channels, follow } = openHub({ pollMs: 3_600_000, after })
    const { id, log } = (await openRun())(createChannels(undefined))
    let seen = ''
    const stream = await follow(id)
    stream.on('data', (bytes) => (seen += bytes))
    await vi.waitFor(() => expect(ids(seen)).toEqual([1]))
    let answer = () => {}
    answered = new Promise((resolve) => (answer = resolve))
    channels.reportMissed()
    // That look has its answer, which is on its way, and does not know of what follows.
    await vi.waitFor(() => expect(looks).toBe(1))
    await log.commit({ events: [logEvent('{"n":0}')] })
    channels.reportMissed()
    answer()
    await vi.waitFor(() => expect(ids(seen)).toEqual([1, 2]))
  })
})
