import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { logEvent, openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createChannels } from './channels.ts'
import type { Database } from './connection.ts'
import { readLogPage } from './event-log.ts'
import { claim, type Run } from './leases.ts'
import { createRunLog, leaseLost, type RunWrite } from './run-log.ts'
import { createSharedWrites } from './shared-writes.ts'

const slots = { maxRunning: 100, maxRunningPerUser: 100, leaseMs: 60_000 }
const line = (n: number | string): RunWrite => ({
  events: [logEvent(JSON.stringify({ type: 'chunk', n }))],
})

describe('concurrent writes of several runs', () => {
  let rows: TestRows
  beforeAll(async () => {
    rows = await openTestRows()
  })
  afterEach(() =>
    rows.database.query(
      'truncate gateway.presentations, gateway.leases, gateway.events, gateway.files cascade',
    ),
  )
  afterAll(() => rows.close())

  /** Opens the logs of `count` runs over one database and records the statements they issue. */
  async function openLogs(count: number, query: Database['query'] = rows.database.query) {
    const statements: string[] = []
    const database = {
      transaction: rows.database.transaction,
      query: (text: string, values?: unknown[]) => {
        statements.push(text)
        return query(text, values)
      },
    } as Pick<Database, 'query' | 'transaction'>
    const shared = createSharedWrites({ database })
    const runs: Run[] = []
    for (let n = 0; n < count; n += 1) {
      await rows.insert()
      runs.push((await claim(rows.database, slots)) as Run)
    }
    const signal = new AbortController().signal
    const lost: string[] = []
    const logs = runs.map((run) =>
      createRunLog({
        database,
        channels: createChannels(undefined),
        run,
        leaseMs: 600_000,
        shared,
        signal,
        onLost: () => lost.push(run.id),
      }),
    )
    return { runs, logs, statements, lost }
  }

  const numbers = async ({ id }: { id: string }) =>
    (await readLogPage(rows.database, { id, after: 1 }))?.events.map(({ seq, data }) => [
      seq,
      JSON.parse(data).n,
    ])

  const outcomes = async (work: Promise<unknown>[]) =>
    (await Promise.allSettled(work)).map((result) =>
      result.status === 'fulfilled' ? 'written' : result.reason,
    )

  async function lock(id: string) {
    const client = new pg.Client({ connectionString: rows.url })
    await client.connect()
    await client.query('begin')
    await client.query('select 1 from gateway.leases where presentation_id = $1 for update', [id])
    return async () => {
      await client.query('commit')
      await client.end()
    }
  }

  it('share one statement and keep their own numbers, progress and leases', async () => {
    const { runs, logs, statements } = await openLogs(5)
    await Promise.all(
      logs.map((log, n) => {
        void log.append({ ...line(`a${n}`), changes: { slidesDone: n, progress: n / 10 } })
        return log.commit(line(`b${n}`))
      }),
    )
    expect(statements).toHaveLength(1)
    for (const [n, run] of runs.entries()) {
      expect(await numbers(run)).toEqual([
        [2, `a${n}`],
        [3, `b${n}`],
      ])
    }
    const stored = await rows.database.query(
      `select slides_done, progress, last_seq, expires_at > now() + interval '5 minutes' as renewed
       from gateway.presentations p join gateway.leases l on l.presentation_id = p.id order by slides_done`,
    )
    expect(stored).toEqual(
      runs.map((_, n) => ({ slides_done: n, progress: n / 10, last_seq: 3, renewed: true })),
    )
  })

  it('keep state that a write does not change', async () => {
    const { runs, logs } = await openLogs(1)
    await logs[0]?.commit({ ...line(1), changes: { slidesDone: 2, progress: 0.5 } })
    await logs[0]?.commit(line(2))
    const [row] = await rows.database.query(
      'select slides_done, progress from gateway.presentations where id = $1',
      [runs[0]?.id],
    )
    expect(row).toEqual({ slides_done: 2, progress: 0.5 })
  })

  it('use statements of their own for stage changes, terminal events and large events', async () => {
    const { runs, logs, statements } = await openLogs(2)
    await Promise.all([
      logs[0]?.commit({ ...line(1), changes: { stage: 'slides' } }),
      logs[1]?.commit({
        events: [logEvent('{"type":"error","n":1}', true)],
        release: true,
      }),
    ])
    expect(statements).toHaveLength(2)
    for (const run of runs) expect(await numbers(run)).toEqual([[2, 1]])
    const large = 'x'.repeat(70_000)
    await Promise.all([logs[0]?.commit(line(large)), logs[0]?.commit({})])
    expect(await numbers(runs[0] as Run)).toEqual([
      [2, 1],
      [3, large],
    ])
  })

  it('do not wait for a run whose row is locked, which writes once the lock is released', async () => {
    const { runs, logs } = await openLogs(3)
    const release = await lock(runs[1]?.id ?? '')
    const work = logs.map((log, n) => log.commit(line(n)))
    await Promise.all([work[0], work[2]])
    expect(await numbers(runs[1] as Run)).toEqual([])
    // The next writes of the others do not wait either.
    await Promise.all([logs[0]?.commit(line('next')), logs[2]?.commit(line('next'))])
    await release()
    await work[1]
    expect(await numbers(runs[1] as Run)).toEqual([[2, 1]])
    expect(await numbers(runs[0] as Run)).toEqual([
      [2, 0],
      [3, 'next'],
    ])
  })

  it('fail only for the run that lost its lease', async () => {
    const { runs, logs, lost } = await openLogs(3)
    await rows.database.query('update gateway.leases set token = $2 where presentation_id = $1', [
      runs[1]?.id,
      randomUUID(),
    ])
    const ended = await outcomes(
      logs.map((log, n) => log.commit({ ...line(n), changes: { slidesDone: 7 } })),
    )
    expect(ended).toEqual(['written', leaseLost, 'written'])
    expect(lost).toEqual([runs[1]?.id])
    expect(await numbers(runs[1] as Run)).toEqual([])
    const stored = await rows.database.query(
      'select slides_done from gateway.presentations where slides_done = 7',
    )
    expect(stored).toHaveLength(2)
  })

  it('are distinguished by lease when the next holder of a run is in the same process', async () => {
    const { runs, statements } = await openLogs(1)
    const [run] = runs as [Run]
    const nextRun = { ...run, token: randomUUID() }
    await rows.database.query('update gateway.leases set token = $2 where presentation_id = $1', [
      run.id,
      nextRun.token,
    ])
    const shared = createSharedWrites({
      database: {
        query: (text, values) => {
          statements.push(text)
          return rows.database.query(text, values)
        },
      },
    })
    const written = [run, nextRun].map(({ id, token, lastSeq }, n) =>
      shared.write({
        id,
        token,
        run: 1,
        seq: lastSeq,
        events: [{ kind: 'chunk', data: JSON.stringify({ n }) }],
        leaseMs: 0,
      }),
    )
    expect(await Promise.all(written)).toEqual([false, true])
    expect(statements).toHaveLength(1)
    expect(await numbers(run)).toEqual([[2, 1]])
  })

  it('fail only for the run whose event is invalid', async () => {
    const { runs, logs } = await openLogs(3)
    const work = logs.map((log, n) =>
      log.commit(n === 1 ? { events: [logEvent('a zero byte: \0')] } : line(n)),
    )
    const [first, second, third] = await outcomes(work)
    expect([first, third]).toEqual(['written', 'written'])
    expect(String(second)).toContain('invalid byte sequence')
    expect(await numbers(runs[2] as Run)).toEqual([[2, 2]])
  })

  it('are applied once when the connection breaks after their commit', async () => {
    let breakAfter = true
    const { runs, logs } = await openLogs(3, async (text, values) => {
      const result = await rows.database.query(text, values)
      if (breakAfter) {
        breakAfter = false
        throw new Problem('DATABASE_UNAVAILABLE')
      }
      return result as never
    })
    await Promise.all(logs.map((log, n) => log.commit(line(n))))
    await Promise.all(logs.map((log) => log.commit(line('next'))))
    for (const [n, run] of runs.entries()) {
      expect(await numbers(run)).toEqual([
        [2, n],
        [3, 'next'],
      ])
    }
  })

  it('use another connection while one is silent', async () => {
    let isFirst = true
    let respond: () => void = () => undefined
    const { runs, logs } = await openLogs(2, async (text, values) => {
      if (isFirst) {
        isFirst = false
        await new Promise<void>((resolve) => {
          respond = resolve
        })
      }
      return rows.database.query(text, values) as never
    })
    const held = logs[0]?.commit(line('held'))
    await delay(0)
    await logs[1]?.commit(line('passes'))
    expect(await numbers(runs[1] as Run)).toEqual([[2, 'passes']])
    respond()
    await held
    expect(await numbers(runs[0] as Run)).toEqual([[2, 'held']])
  })
})
