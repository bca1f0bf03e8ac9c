// Slow and stuck subscribers, long logs, database outages and hints: the memory and the reads that
// each costs, and that no event is lost.
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Channels, createChannels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { claim, type Run } from '../database/leases.ts'
import { createRunLog, type RunWrite } from '../database/run-log.ts'
import { Problem } from '../domain/problem.ts'
import { logEvent, openTestRows, type TestRows } from '../sandbox/rows.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { createHub } from './hub.ts'

const slots = { maxRunning: 1000, maxRunningPerUser: 1000, leaseMs: 60_000 }
const terminal = '{"type":"complete","presentation":{},"run":1}'
const mebibyte = 1024 * 1024
/** The most bytes that a subscriber buffers: its buffer, one chunk more, and a few frames. */
const maxBufferedBytes = 96 * 1024
/** A write that completes the run. */
const finish: RunWrite = {
  events: [logEvent(terminal, true)],
  changes: { status: 'completed' },
  release: true,
}

let rows: TestRows
const closing: (() => void)[] = []
beforeAll(async () => {
  rows = await openTestRows()
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
})
afterAll(() => rows.close())

type Hook = (sql: string) => unknown

/** A hub over a database with hooks around each query, and with a clock that the test advances. */
function openHub({
  before = () => undefined,
  after = () => undefined,
  pollMs = 20,
}: {
  before?: Hook
  after?: Hook
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
      const bytes = found.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)
      if (isPage(sql)) pages.push({ rows: found.length, bytes })
      await after(sql)
      return found
    },
  }
  const hub = createHub({
    database,
    channels,
    heartbeatMs: 15_000,
    maxStreams: 100,
    maxStreamsPerUser: 100,
    now: () => clock.ms,
    pollMs,
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
  /** Follows the log and collects what arrives. Returns after the first event. */
  async function collect(id: string) {
    const collected = { text: '' }
    const stream = await follow(id)
    stream.on('data', (bytes) => (collected.text += bytes))
    await waitFor(() => expect(ids(collected.text)).toEqual([1]))
    return { stream, collected }
  }
  /** Advances the clock and waits until the hub has seen the new time. */
  async function advance(ms: number) {
    clock.ms += ms
    const seen = polls
    await waitFor(() => expect(polls).toBeGreaterThan(seen + 1))
  }
  return { hub, channels, pages, advance, follow, collect }
}

/** Publishes messages without the committed events, like a hint of another replica. */
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

/** Inserts a finished log: `queued`, `count` events of about `bytes` bytes, and `complete`. */
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

async function openRun(channels: Channels = createChannels(undefined)) {
  const id = await rows.insert()
  return { id, log: openLog((await claim(rows.database, slots)) as Run, channels) }
}

function openLog(run: Run, channels: Channels) {
  const signal = new AbortController().signal
  return createRunLog({ database: rows.database, channels, run, signal, onLost: () => undefined })
}

const ids = (stream: string) => [...stream.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
const upTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1)
const nextTick = () => new Promise(setImmediate)

/** Reads the buffered bytes once, like a socket whose buffer has drained. */
async function readOnce(stream: Readable): Promise<string> {
  for (;;) {
    const bytes = stream.read() as Buffer | null
    if (bytes) return bytes.toString()
    await new Promise((resolve) => stream.once('readable', resolve))
  }
}

describe('a long log', () => {
  it('is read page by page, and no further while the subscriber does not read', async () => {
    const id = await insertLog(50_000, 200)
    const { pages, advance, follow } = openHub()
    const stream = await follow(id)
    let seen = await readOnce(stream)
    // Its buffer is full, so no more pages are read.
    await waitFor(() =>
      expect(stream.readableLength).toBeGreaterThanOrEqual(stream.readableHighWaterMark),
    )
    const readSoFar = pages.length
    expect(readSoFar).toBeLessThan(5)
    await advance(10)
    expect(pages).toHaveLength(readSoFar)
    expect(stream.readableLength).toBeLessThan(maxBufferedBytes)
    let most = 0
    for await (const bytes of stream) {
      most = Math.max(most, stream.readableLength)
      seen += bytes
    }
    expect(ids(seen)).toEqual(upTo(50_002))
    expect(most).toBeLessThan(maxBufferedBytes)
    expect(Math.max(...pages.map((page) => page.rows))).toBeLessThanOrEqual(500)
  })

  it('of large events is read in pages that are limited by bytes', async () => {
    const id = await insertLog(60, 256 * 1024)
    const { pages, follow } = openHub()
    expect(ids(await text(await follow(id)))).toEqual(upTo(62))
    expect(Math.max(...pages.map((page) => page.bytes))).toBeLessThan(1.5 * mebibyte)
  })

  it('is read once for many subscribers that keep up', async () => {
    const { channels, pages, follow } = openHub()
    const { id, log } = await openRun(channels)
    const streams = await Promise.all(Array.from({ length: 30 }, () => follow(id)))
    const texts = streams.map((stream) => text(stream))
    for (let n = 0; n < 20; n += 1) await log.commit({ events: [logEvent(`{"n":${n}}`)] })
    await log.commit(finish)
    for (const seen of await Promise.all(texts)) expect(ids(seen)).toEqual(upTo(22))
    // Each subscriber reads one page at its start. Later pages are read once for all.
    expect(pages.length).toBeLessThan(30 + 2 * 22)
  })

  it('is cached only in its latest part, so that a subscriber from the start reads pages itself', async () => {
    const id = await insertLog(20, 256 * 1024)
    const { pages, follow } = openHub()
    const [first, late] = [await follow(id), await follow(id)]
    expect(ids(await text(first))).toEqual(upTo(22))
    const before = pages.length
    expect(ids(await text(late))).toEqual(upTo(22))
    expect(pages.length).toBeGreaterThan(before + 5)
  })
})

describe('a slow subscriber', () => {
  it('is disconnected when it reads no byte for a minute, and no other is', async () => {
    const id = await insertLog(5_000, 200)
    const { hub, advance, follow } = openHub()
    const stuck = await follow(id)
    await readOnce(stuck)
    const moving = await follow(id)
    await readOnce(moving)
    await waitFor(() => expect(moving.readableLength).toBeGreaterThan(0))
    await advance(59_000)
    expect(stuck.destroyed).toBe(false)
    await readOnce(moving)
    await nextTick()
    await advance(2_000)
    expect(stuck.destroyed).toBe(true)
    expect(moving.destroyed).toBe(false)
    expect(hub.openStreams()).toBe(1)
    expect(ids(await text(moving)).at(-1)).toBe(5_002)
  })

  it('receives an event larger than all its buffers, however long that takes', async () => {
    const id = await insertLog(1, mebibyte)
    const { advance, follow } = openHub()
    const stream = await follow(id)
    let seen = ''
    for (;;) {
      seen += await readOnce(stream)
      if (seen.includes(terminal.slice(0, 18))) break
      await advance(40_000)
    }
    expect(ids(seen + (await text(stream)))).toEqual([1, 2, 3])
  }, 120_000)

  it('ends without a gap when its cursor is pruned, and gets a resync when it reconnects', async () => {
    const id = await insertLog(5_000, 200)
    const { follow } = openHub()
    const stream = await follow(id)
    let seen = await readOnce(stream)
    await rows.database.query('delete from gateway.events where presentation_id = $1', [id])
    seen += await text(stream)
    const before = ids(seen)
    expect(before).toEqual(upTo(before.length))
    expect(before.length).toBeLessThan(5_002)
    expect(seen).toMatch(/\n\nretry: \d+\n\n$/)
    expect(ids(await text(await follow(id, before.length)))).toEqual([5_002])
  })
})

describe('a subscriber far behind', () => {
  it('does not get the terminal event of a run that has a later run', async () => {
    const id = await insertLog(20, 256 * 1024)
    const { follow } = openHub()
    const behind = await follow(id)
    expect(ids(await text(await follow(id)))).toEqual(upTo(22))
    await rows.database.query(
      `update gateway.presentations set run = 2, status = 'queued', run_started_at = null, ended_at = null where id = $1`,
      [id],
    )
    const run = (await claim(rows.database, slots)) as Run
    const log = openLog(run, createChannels(undefined))
    await log.commit({ events: [logEvent('{"type":"chunk","run":2}')] })
    const seen = text(behind)
    const end = logEvent(terminal.replace('1}', '2}'), true)
    await log.commit({ ...finish, events: [end], changes: { status: 'failed' } })
    expect(ids(await seen)).toEqual([...upTo(21), 23, 24])
  })

  it('continues after a database outage during which its page could not be read', async () => {
    const id = await insertLog(20, 256 * 1024)
    // Below zero while the fault is not active.
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

describe('during a database outage', () => {
  it('streams stay open with heartbeats, and continue at their cursor', async () => {
    let isOutage = false
    const { channels, advance, collect } = openHub({
      before() {
        if (isOutage) throw new Problem('DATABASE_UNAVAILABLE')
      },
    })
    const { id, log } = await openRun(hintsOf(channels))
    const { stream, collected } = await collect(id)
    isOutage = true
    await log.commit({ events: [logEvent('{"n":0}')] })
    for (let beats = 1; beats <= 2; beats += 1) {
      await advance(15_000)
      expect(collected.text.match(/^: $/gm)).toHaveLength(beats)
    }
    expect(ids(collected.text)).toEqual([1])
    isOutage = false
    // No hint comes for the event that was written during the outage, so polling finds it.
    await waitFor(() => expect(ids(collected.text)).toEqual([1, 2]))
    await log.commit(finish)
    await waitFor(() => expect(stream.readableEnded).toBe(true))
    expect(ids(collected.text)).toEqual([1, 2, 3])
  })
})

describe('hints', () => {
  it('of a run in this process carry its committed events, so that nothing is read', async () => {
    const { channels, pages, follow } = openHub({ before: withoutPolls })
    const { id, log } = await openRun(channels)
    const texts = (await Promise.all([follow(id), follow(id)])).map((stream) => text(stream))
    await waitFor(() => expect(pages.length).toBeGreaterThan(0))
    await log.commit({ events: [logEvent('{"n":0}')] })
    const readSoFar = pages.length
    for (let n = 1; n < 50; n += 1) await log.commit({ events: [logEvent(`{"n":${n}}`)] })
    await log.commit(finish)
    for (const seen of await Promise.all(texts)) {
      expect(ids(seen)).toEqual(upTo(52))
      expect(seen).toContain('data: {"n":49}\n')
    }
    expect(pages).toHaveLength(readSoFar)
  })

  it('with events that arrive during a read follow that page, once and without a gap', async () => {
    let responded = Promise.resolve()
    const { channels, pages, follow } = openHub({
      before: withoutPolls,
      after: (sql) => (isPage(sql) ? responded : undefined),
    })
    const { id, log } = await openRun(channels)
    let respond = () => {}
    responded = new Promise((resolve) => (respond = resolve))
    const seen = text(await follow(id))
    await waitFor(() => expect(pages).toHaveLength(1))
    for (let n = 0; n < 5; n += 1) await log.commit({ events: [logEvent(`{"n":${n}}`)] })
    respond()
    await log.commit(finish)
    expect(ids(await seen)).toEqual(upTo(7))
    expect(pages).toHaveLength(1)
  })

  it('that arrive during a read cause another read, even without a poll', async () => {
    let responded = Promise.resolve()
    const { channels, collect } = openHub({
      before: withoutPolls,
      after: (sql) => (isPage(sql) ? responded : undefined),
    })
    const { id, log } = await openRun(hintsOf(channels))
    const { collected } = await collect(id)
    let respond = () => {}
    responded = new Promise((resolve) => (respond = resolve))
    await log.commit({ events: [logEvent('{"n":0}')] })
    // The current read is already answered by the database, without the next event.
    await rows.database.query('select 1')
    await log.commit({ events: [logEvent('{"n":1}')] })
    respond()
    await waitFor(() => expect(ids(collected.text)).toEqual([1, 2, 3]))
  })

  it('that were missed while the listener was disconnected cause a poll at its reconnect', async () => {
    const { channels, collect } = openHub({ pollMs: 3_600_000 })
    // Written by another replica, without a hint to this one.
    const { id, log } = await openRun()
    const { collected } = await collect(id)
    await log.commit({ events: [logEvent('{"n":0}')] })
    channels.reportMissed()
    await waitFor(() => expect(ids(collected.text)).toEqual([1, 2]))
  })

  it('that were missed during a poll cause another poll', async () => {
    let responded = Promise.resolve()
    let polls = 0
    const after = (sql: string) => {
      if (isPoll(sql)) polls += 1
      return isPoll(sql) ? responded : undefined
    }
    const { channels, collect } = openHub({ pollMs: 3_600_000, after })
    const { id, log } = await openRun()
    const { collected } = await collect(id)
    let respond = () => {}
    responded = new Promise((resolve) => (respond = resolve))
    channels.reportMissed()
    // The database has responded to this poll, without the next event.
    await waitFor(() => expect(polls).toBe(1))
    await log.commit({ events: [logEvent('{"n":0}')] })
    channels.reportMissed()
    respond()
    await waitFor(() => expect(ids(collected.text)).toEqual([1, 2]))
  })
})
