import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Channels, createChannels } from '../database/channels.ts'
import { claim, type Run } from '../database/leases.ts'
import { createRunLog } from '../database/run-log.ts'
import { logEvent, openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createHub, type Hub } from './hub.ts'

const slots = { maxRunning: 1000, maxRunningPerUser: 1000, leaseMs: 60_000 }

describe('the hub', () => {
  let rows: TestRows
  let hub: Hub
  let channels: Channels
  beforeAll(async () => {
    rows = await openTestRows()
  })
  beforeEach(() => {
    channels = createChannels(undefined)
    hub = openHub()
  })
  function openHub() {
    return createHub({
      database: rows.database,
      channels,
      heartbeatMs: 1_000,
      maxStreams: 20,
      maxStreamsPerUser: 10,
      describe: async ({ id }) => ({ id }),
      describeDownload: async () => ({ url: 'http://store/x' }),
      onTrouble: (error) => {
        throw error
      },
    })
  }
  afterEach(() => {
    vi.useRealTimers()
    hub.close()
    expect(hub.openStreams()).toBe(0)
  })
  afterAll(() => rows.close())

  async function openRun(): Promise<{ id: string; log: ReturnType<typeof createRunLog> }> {
    const id = await rows.insert({ userId: 'alice' })
    const run = (await claim(rows.database, slots)) as Run
    const log = createRunLog({
      database: rows.database,
      channels,
      run,
      signal: new AbortController().signal,
      onLost: () => undefined,
    })
    return { id, log }
  }
  const chunk = (n: number) => logEvent(JSON.stringify({ type: 'chunk', n, run: 1 }))
  const complete = logEvent('{"type":"complete","presentation":{},"run":1}', true)
  const finish = { events: [complete], changes: { status: 'completed' as const }, release: true }
  const subscriber = (id: string, lastEventId = 0) => ({ userId: 'alice', id, lastEventId })
  const ids = (stream: string) => [...stream.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
  async function open(id: string, lastEventId = 0): Promise<Readable> {
    const stream = await hub.follow(subscriber(id, lastEventId))
    if (!stream) throw new Error('nothing to follow')
    return stream
  }

  it('sends every subscriber each event once, from its cursor to the terminal event', async () => {
    const { id, log } = await openRun()
    await log.commit({ events: [chunk(0), chunk(1)] })
    const early = await Promise.all([0, 0, 1, 2, 3].map((from) => open(id, from)))
    const texts = early.map((stream) => text(stream))
    for (let n = 2; n < 30; n += 1) await log.append({ events: [chunk(n)] })
    const late = text(await open(id, 1))
    await log.commit(finish)
    const all = Array.from({ length: 32 }, (_, n) => n + 1)
    expect((await Promise.all(texts)).map(ids)).toEqual(
      [0, 0, 1, 2, 3].map((from) => all.slice(from)),
    )
    expect(ids(await late)).toEqual(all.slice(1))
    expect(await texts[0]).toMatch(/^retry: \d+\n\n/)
    expect(await texts[0]).toMatch(/"run":1,"download":\{"url":"http:\/\/store\/x"\}\}\n\n$/)
  })

  it('returns nothing for a cursor at the end of a finished run', async () => {
    const { id, log } = await openRun()
    await log.commit(finish)
    expect(await hub.follow(subscriber(id, 2))).toBeUndefined()
    expect(ids(await text(await open(id, 1)))).toEqual([2])
  })

  it('sends a resync with the presentation and the last id for a cursor beyond the log', async () => {
    const { id, log } = await openRun()
    const stream = await open(id, 999)
    const all = text(stream)
    await log.commit(finish)
    const seen = await all
    expect(ids(seen)).toEqual([1, 2])
    expect(seen).toContain(
      `id: 1\nevent: response\ndata: {"type":"resync","presentation":{"id":"${id}"}}`,
    )
  })

  it('sends one resync for a pruned log, then the later events', async () => {
    const { id, log } = await openRun()
    await log.commit({ events: [chunk(0)] })
    await rows.database.query('delete from gateway.events where presentation_id = $1', [id])
    const all = text(await open(id))
    await log.commit(finish)
    expect(ids(await all)).toEqual([2, 3])
    const again = await text(await open(id, 0))
    expect(ids(again)).toEqual([2, 3])
  })

  it('ends the stream after the resync of a finished and pruned log', async () => {
    const { id, log } = await openRun()
    await log.commit(finish)
    await rows.database.query('delete from gateway.events where presentation_id = $1', [id])
    expect(ids(await text(await open(id)))).toEqual([2])
    expect(await hub.follow(subscriber(id, 2))).toBeUndefined()
  })

  it('omits the terminal events of earlier runs', async () => {
    const { id, log } = await openRun()
    await log.commit(finish)
    await rows.database.query(
      `update gateway.presentations set run = 2, status = 'queued', run_started_at = null where id = $1`,
      [id],
    )
    const run = (await claim(rows.database, slots)) as Run
    const second = createRunLog({
      database: rows.database,
      channels,
      run,
      signal: new AbortController().signal,
      onLost: () => undefined,
    })
    const all = text(await open(id))
    await second.commit({ events: [chunk(7)] })
    await second.commit({
      ...finish,
      events: [{ ...complete, data: complete.data.replace('"run":1', '"run":2') }],
    })
    expect(ids(await all)).toEqual([1, 3, 4])
  })

  it('reads a long log in pages without a gap', async () => {
    const { id, log } = await openRun()
    for (let n = 0; n < 1500; n += 1) await log.append({ events: [chunk(n)] })
    await log.commit(finish)
    expect(ids(await text(await open(id)))).toEqual(Array.from({ length: 1502 }, (_, n) => n + 1))
  })

  it('finds new events by polling when every hint is lost', async () => {
    const { id, log } = await openRun()
    const all = text(await open(id))
    await channels.close()
    await log.commit({ events: [chunk(0)] })
    await log.commit(finish)
    expect(ids(await all)).toEqual([1, 2, 3])
  })

  it('limits the open streams in total and per user, and counts closed ones no longer', async () => {
    const { id, log } = await openRun()
    const streams = await Promise.all(Array.from({ length: 10 }, () => open(id)))
    await expect(open(id)).rejects.toMatchObject({ code: 'TOO_MANY_STREAMS' })
    streams[0]?.destroy()
    const next = await open(id)
    for (const stream of [...streams, next]) stream.resume()
    await log.commit(finish)
    await Promise.all(
      [...streams.slice(1), next].map(
        (stream) => new Promise((resolve) => stream.once('close', resolve)),
      ),
    )
  })

  it('rejects with NOT_FOUND for foreign and unknown presentations', async () => {
    const { id, log } = await openRun()
    await expect(hub.follow({ userId: 'mallory', id, lastEventId: 0 })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(
      hub.follow({ userId: 'alice', id: randomUUID(), lastEventId: 0 }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await log.commit(finish)
  })

  it('ends a stream with TOKEN_EXPIRED, without an id, so that it can be resumed', async () => {
    const { id, log } = await openRun()
    const stream = await hub.follow({ ...subscriber(id), expiresAtMs: Date.now() + 100 })
    const seen = await text(stream as Readable)
    expect(seen).toMatch(
      /id: 1\n[\s\S]*\n\nevent: response\ndata: \{"type":"status","status":"[^"]+","code":"TOKEN_EXPIRED"\}\n\n$/,
    )
    await log.commit(finish)
  })

  it('closes the streams of a deleted presentation', async () => {
    const { id } = await openRun()
    let seen = ''
    for await (const bytes of await open(id)) {
      seen += bytes
      if (!seen.includes('id: 1\n')) continue
      await rows.database.query('delete from gateway.presentations where id = $1', [id])
      channels.publish('status', { id })
    }
    expect(ids(seen)).toEqual([1])
  })

  it('sends heartbeats also when the clock of the machine is set back', async () => {
    hub.close()
    vi.useFakeTimers({ toFake: ['Date'] })
    hub = openHub()
    const { id } = await openRun()
    const stream = await open(id)
    const deadline = setTimeout(() => stream.destroy(), 10_000)
    let seen = ''
    for await (const bytes of stream) {
      seen += bytes
      if (seen.endsWith(': \n\n')) break
      vi.setSystemTime(Date.now() - 3_600_000)
    }
    clearTimeout(deadline)
    expect(seen).toMatch(/: \n\n$/)
  })

  it('sends heartbeat comments on an idle stream, and `retry` at shutdown', async () => {
    const { id } = await openRun()
    const stream = await open(id)
    let seen = ''
    for await (const bytes of stream) {
      seen += bytes
      if (seen.endsWith(': \n\n')) hub.close()
    }
    expect(seen).toMatch(/: \n\nretry: \d+\n\n$/)
  })
})
