import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { openDatabase, type Queryable } from './connection.ts'
import { respondOnce, respondToEach } from './idempotency.ts'
import { pruneKeys } from './idempotency-keys.ts'
import type { StoredResponse } from './schema/users.ts'

const request = { userId: 'alice', key: 'key', fingerprint: 'one' }

describe('an idempotency key', () => {
  let rows: TestRows
  let workCount = 0
  beforeAll(async () => {
    rows = await openTestRows()
    await rows.database.query('create table work (n int)')
  })
  afterEach(async () => {
    workCount = 0
    await rows.database.query('truncate gateway.idempotency_keys, work')
  })
  afterAll(() => rows.close())

  async function work(client: Queryable): Promise<StoredResponse> {
    workCount += 1
    await client.query('insert into work values ($1)', [workCount])
    return { status: 202, location: `/${workCount}`, body: { text: 'a "quote"\u0000', workCount } }
  }
  const countWork = async () => (await rows.database.query('select 1 from work')).length

  it('does the work once for fifty simultaneous requests over three replicas', async () => {
    const replicas = [1, 2, 3].map(() => openDatabase({ url: rows.url, poolMax: 10 }))
    const responses = await Promise.all(
      Array.from({ length: 50 }, (_, n) => respondOnce(replicas[n % 3]!, request, work)),
    )
    expect(workCount).toBe(1)
    expect(await countWork()).toBe(1)
    expect(responses.filter(({ replayed }) => !replayed)).toHaveLength(1)
    const [first] = responses
    for (const response of responses)
      expect({ ...response, replayed: true }).toEqual({ ...first, replayed: true })
    await Promise.all(replicas.map((replica) => replica.close()))
  })

  it('is refused for a different request, and belongs to one user', async () => {
    await respondOnce(rows.database, request, work)
    const other = respondOnce(rows.database, { ...request, fingerprint: 'two' }, work)
    await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED', status: 422 })
    expect(
      await respondOnce(rows.database, { ...request, userId: 'bob', fingerprint: 'two' }, work),
    ).toMatchObject({
      replayed: false,
    })
    expect(await countWork()).toBe(2)
  })

  it('stores nothing when the work fails, so that the next request starts again', async () => {
    const failing = respondOnce(rows.database, request, async (client) => {
      await work(client)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await countWork()).toBe(0)
    expect(
      await respondOnce(rows.database, { ...request, fingerprint: 'two' }, work),
    ).toMatchObject({ replayed: false })
  })

  it('stores nothing when the connection breaks before the work or before the commit', async () => {
    for (const breakAt of ['before', 'after']) {
      const failing = respondOnce(rows.database, request, async (client) => {
        const breakConnection = () => client.query('select pg_terminate_backend(pg_backend_pid())')
        if (breakAt === 'before') await breakConnection()
        const response = await work(client)
        await breakConnection()
        return response
      })
      await expect(failing).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
      expect(await countWork()).toBe(0)
    }
    expect(await respondOnce(rows.database, request, work)).toMatchObject({ replayed: false })
    expect(await respondOnce(rows.database, request, work)).toMatchObject({ replayed: true })
    expect(await countWork()).toBe(1)
  })

  it('waits for the first request, and returns CONFLICT with Retry-After after five seconds', async () => {
    // A slow replica holds the key in an open transaction.
    const first = new pg.Client(rows.url)
    await first.connect()
    await first.query('begin')
    await first.query(
      `insert into gateway.idempotency_keys (user_id, key, fingerprint) values ('alice', 'key', 'one')`,
    )
    const startedMs = performance.now()
    await expect(respondOnce(rows.database, request, work)).rejects.toMatchObject({
      code: 'CONFLICT',
      retryAfterSeconds: 1,
    })
    expect(performance.now() - startedMs).toBeGreaterThan(4_900)

    const second = respondOnce(rows.database, request, work)
    await first.query(
      `update gateway.idempotency_keys set answer = '{"status":202,"location":"/first","body":{}}'`,
    )
    await first.query('commit')
    expect(await second).toEqual({ status: 202, location: '/first', body: {}, replayed: true })
    expect(workCount).toBe(0)
    await first.end()
  })

  it('bounds only the wait for a key, not that for a later lock', async () => {
    const setting = async (client: Queryable) => (await client.query('show lock_timeout'))[0]
    const [timeouts] = await respondToEach({
      database: rows.database,
      requests: [request],
      keyOf: (key) => key,
      work: async (client) => [{ status: 200, location: '', body: await setting(client) }],
    })
    expect(timeouts).toMatchObject({ body: { lock_timeout: '0' } })
  })

  it('costs two statements besides those of the work', async () => {
    const texts: string[] = []
    await respondToEach({
      database: {
        transaction: (run, first) => {
          texts.push(`begin; ${first}`)
          return rows.database.transaction(
            (client) =>
              run({
                query: (text, values) => {
                  texts.push(text.trim().split(/\s+/)[0]!)
                  return client.query(text, values)
                },
              }),
            first,
          )
        },
      },
      requests: [request, { ...request, key: 'another' }],
      keyOf: (key) => key,
      work: async (_, fresh) => fresh.map(() => ({ status: 200, location: '', body: null })),
    })
    expect(texts).toEqual([`begin; set local lock_timeout = '5s'`, 'with', 'update'])
  })

  it('expires after a day, and is pruned then', async () => {
    const age = (hours: number) =>
      rows.database.query(
        `update gateway.idempotency_keys set created_at = created_at - $1 * interval '1 hour'`,
        [hours],
      )
    await respondOnce(rows.database, request, work)
    await age(23)
    await pruneKeys(rows.database)
    expect(await respondOnce(rows.database, request, work)).toMatchObject({ replayed: true })
    await age(2)
    expect(
      await respondOnce(rows.database, { ...request, fingerprint: 'two' }, work),
    ).toMatchObject({ replayed: false })
    await age(25)
    await pruneKeys(rows.database)
    expect(await rows.database.query('select 1 from gateway.idempotency_keys')).toEqual([])
  })

  it('is optional: without one every request does its work', async () => {
    await respondOnce(rows.database, undefined, work)
    await respondOnce(rows.database, undefined, work)
    expect(await countWork()).toBe(2)
  })
})
