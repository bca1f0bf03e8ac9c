import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeUpstreamEvent } from '../contract/events.ts'
import { Problem } from '../domain/problem.ts'
import { logEvent, openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createChannels } from './channels.ts'
import type { Database } from './connection.ts'
import { readLogPage } from './event-log.ts'
import { claim, type Run } from './leases.ts'
import type { RunEvent, TextEvent } from './pending-events.ts'
import { createRunLog, leaseLost } from './run-log.ts'
import { databaseNow } from './run-write.ts'

const slots = { maxRunning: 100, maxRunningPerUser: 100, leaseMs: 60_000 }
const line = (n: number): RunEvent => logEvent(JSON.stringify({ type: 'chunk', n }))

describe('the log of a run', () => {
  let rows: TestRows
  beforeAll(async () => {
    rows = await openTestRows()
  })
  afterAll(() => rows.close())

  async function openLog(database: Pick<Database, 'query' | 'transaction'> = rows.database) {
    await rows.insert()
    return openLogOf((await claim(rows.database, slots)) as Run, database)
  }

  function openLogOf(run: Run, database: Pick<Database, 'query' | 'transaction'> = rows.database) {
    let lost = 0
    const log = createRunLog({
      database,
      channels: createChannels(undefined),
      run,
      signal: new AbortController().signal,
      onLost: () => {
        lost += 1
      },
    })
    return { run, log, lost: () => lost }
  }

  const numbers = async (id: string) => {
    const page = await readLogPage(rows.database, { id, after: 1 })
    return page?.events.map(({ seq, data }) => [seq, JSON.parse(data).n])
  }

  it('numbers events densely in the order of their appends, also concurrent ones', async () => {
    const { run, log } = await openLog()
    await Promise.all(Array.from({ length: 50 }, (_, n) => log.commit({ events: [line(n)] })))
    expect(await numbers(run.id)).toEqual(Array.from({ length: 50 }, (_, n) => [n + 2, n]))
  })

  it('renews the lease with each write, and never shortens it', async () => {
    await rows.insert()
    const run = (await claim(rows.database, slots)) as Run
    const signal = new AbortController().signal
    const leftMs = async () => {
      const [row] = await rows.database.query<{ ms: number }>(
        'select extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as ms from gateway.leases where presentation_id = $1',
        [run.id],
      )
      return row?.ms
    }
    const open = (leaseMs: number) =>
      createRunLog({
        database: rows.database,
        channels: createChannels(undefined),
        run,
        leaseMs,
        signal,
        onLost: () => undefined,
      })
    await open(600_000).commit({ changes: { progress: 1 } })
    expect(await leftMs()).toBeGreaterThan(500_000)
    const log = open(1_000)
    await log.commit({ changes: { progress: 2 } })
    expect(await leftMs()).toBeGreaterThan(500_000)
    await log.commit({ release: true })
    expect(await leftMs()).toBeNull()
  })

  it('writes nothing with a lease token that is no longer valid', async () => {
    const { run, log, lost } = await openLog()
    await log.commit({ events: [line(0)] })
    await rows.database.query(
      `update gateway.leases set token = gen_random_uuid() where presentation_id = $1`,
      [run.id],
    )
    await expect(log.commit({ events: [line(1)], changes: { title: 'zombie' } })).rejects.toBe(
      leaseLost,
    )
    expect(lost()).toBe(1)
    expect(await numbers(run.id)).toEqual([[2, 0]])
    const [row] = await rows.database.query(
      'select title from gateway.presentations where id = $1',
      [run.id],
    )
    expect(row?.title).toBeNull()
    await expect(log.append({ events: [line(2)] })).rejects.toBe(leaseLost)
  })

  it('applies a write once when the connection breaks after its commit', async () => {
    let breakAfter = true
    const database = {
      ...rows.database,
      async query<Row extends object>(text: string, values?: unknown[]) {
        const result = await rows.database.query<Row>(text, values)
        if (breakAfter && text.includes('insert into gateway.events')) {
          breakAfter = false
          throw new Problem('DATABASE_UNAVAILABLE')
        }
        return result
      },
    } as Pick<Database, 'query' | 'transaction'>
    const { run, log } = await openLog(database)
    await log.commit({ events: [line(0), line(1)] })
    await log.commit({ events: [line(2)] })
    expect(await numbers(run.id)).toEqual([
      [2, 0],
      [3, 1],
      [4, 2],
    ])
  })

  it('does not claim an identical event of the next lease holder', async () => {
    let isFirst = true
    const database = {
      ...rows.database,
      async query<Row extends object>(text: string, values?: unknown[]) {
        if (isFirst && text.includes('insert into gateway.events')) {
          isFirst = false
          await rows.database.query(
            `update gateway.leases set expires_at = now() - interval '1 second' where presentation_id = $1`,
            [values?.[0]],
          )
          const nextRun = (await claim(rows.database, slots)) as Run
          await openLogOf(nextRun).log.commit({ events: [line(0)] })
          throw new Problem('DATABASE_UNAVAILABLE')
        }
        return rows.database.query<Row>(text, values)
      },
    } as Pick<Database, 'query' | 'transaction'>
    const { run, log, lost } = await openLog(database)
    await expect(log.commit({ events: [line(0)] })).rejects.toBe(leaseLost)
    expect(lost()).toBe(1)
    expect(await numbers(run.id)).toEqual([[2, 0]])
  })

  it('repeats a write until the database is back', async () => {
    let failures = 3
    const database = {
      ...rows.database,
      async query<Row extends object>(text: string, values?: unknown[]) {
        if (failures > 0 && text.includes('gateway.events')) {
          failures -= 1
          throw new Problem('DATABASE_UNAVAILABLE')
        }
        return rows.database.query<Row>(text, values)
      },
    } as Pick<Database, 'query' | 'transaction'>
    const { run, log } = await openLog(database)
    await log.commit({ events: [line(0)], changes: { slidesDone: 3 } })
    expect(await numbers(run.id)).toEqual([[2, 0]])
  })

  it('applies back-pressure to appends, so that the pending bytes stay bounded', async () => {
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const database = {
      ...rows.database,
      query: (text: string, values?: unknown[]) =>
        held.then(() => rows.database.query(text, values)),
    } as Pick<Database, 'query' | 'transaction'>
    const { run, log } = await openLog(database)
    const large = 'x'.repeat(100_000)
    let appended = 0
    const writing = (async () => {
      for (let n = 0; n < 40; n += 1) {
        await log.append({ events: [logEvent(JSON.stringify({ n, large }))] })
        appended += 1
      }
    })()
    await new Promise(setImmediate)
    expect(appended).toBeLessThan(15)
    release()
    await writing
    await log.commit({})
    const page = await readLogPage(rows.database, { id: run.id, after: 40 })
    expect(page?.events.map(({ seq }) => seq)).toEqual([41])
  })

  it('joins adjacent text events that wait for the same commit', async () => {
    const { run, log } = await openLog()
    const text = (value: string): TextEvent => ({
      kind: 'text',
      text: value,
      encode: (n) => logEvent(JSON.stringify({ n })),
    })
    await Promise.all([...'abc'].map((letter) => log.append({ events: [text(letter)] })))
    await log.commit({ events: [line(7)] })
    expect(await numbers(run.id)).toEqual([
      [2, 'abc'],
      [3, 7],
    ])
  })

  it('stores an upstream event whose kind holds a NUL', async () => {
    const { run, log } = await openLog()
    await log.commit({ events: [encodeUpstreamEvent('new\0kind', { n: 7 }, { run: 1 })] })
    expect(await numbers(run.id)).toEqual([[2, 7]])
  })

  it('releases the lease together with the terminal event', async () => {
    const { run, log } = await openLog()
    await log.commit({
      events: [logEvent('{"type":"error"}', true)],
      changes: {
        status: 'failed',
        error: { code: 'CANCELLED', detail: 'd', retryable: true },
        endedAt: databaseNow,
      },
      release: true,
    })
    const [lease] = await rows.database.query(
      'select token, last_seq from gateway.leases where presentation_id = $1',
      [run.id],
    )
    expect(lease).toEqual({ token: null, last_seq: 2 })
    const [row] = await rows.database.query(
      'select status, error, ended_at from gateway.presentations where id = $1',
      [run.id],
    )
    expect(row).toMatchObject({
      status: 'failed',
      error: { code: 'CANCELLED' },
      ended_at: expect.any(Date),
    })
  })

  it('rolls back state and events when an extra statement fails', async () => {
    const { run, log } = await openLog()
    const write = log.commit({
      events: [line(0)],
      changes: { title: 't' },
      extraStatements: [{ text: 'select 1 / 0, $1::uuid', values: [] }],
    })
    await expect(write).rejects.toThrow('division by zero')
    expect(await numbers(run.id)).toEqual([])
  })
})
