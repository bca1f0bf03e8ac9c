import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { openDatabase, type Queryable } from './connection.ts'
import { forgetKeys, respondOnce, type StoredResponse } from './idempotency.ts'

const request = { userId: 'alice', key: 'key', fingerprint: 'one' }

describe('an idempotency key', () => {
  let rows: TestRows
  let works = 0
  beforeAll(async () => {
    rows = await openTestRows()
    await rows.database.query('create table work (n int)')
  })
  afterEach(async () => {
    works = 0
    await rows.database.query('truncate gateway.idempotency_keys, work')
  })
  afterAll(() => rows.close())

  async function work(client: Queryable): Promise<StoredResponse> {
    works += 1
    await client.query('insert into work values ($1)', [works])
    return { status: 202, location: `/${works}`, body: { text: 'a "word" for word\u0000', works } }
  }
  const done = async () => (await rows.database.query('select 1 from work')).length

  it('lets fifty requests at once, over three replicas, do the work once and get one answer', async () => {
    const replicas = [1, 2, 3].map(() => openDatabase({ url: rows.url, poolMax: 10 }))
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => respondOnce(replicas[n % 3]!, request, work)),
    )
    expect(works).toBe(1)
    expect(await done()).toBe(1)
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1)
    const [first] = answers
    for (const answer of answers)
      expect({ ...answer, replayed: true }).toEqual({ ...first, replayed: true })
    await Promise.all(replicas.map((replica) => replica.close()))
  })

  it('is refused for another request, and belongs to one user', async () => {
    await respondOnce(rows.database, request, work)
    const other = respondOnce(rows.database, { ...request, fingerprint: 'two' }, work)
    await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED', status: 422 })
    expect(
      await respondOnce(rows.database, { ...request, userId: 'bob', fingerprint: 'two' }, work),
    ).toMatchObject({
      replayed: false,
    })
    expect(await done()).toBe(2)
  })

  it('keeps nothing of work that failed, so that the next one with it begins anew', async () => {
    const failing = respondOnce(rows.database, request, async (client) => {
      await work(client)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await done()).toBe(0)
    expect(
      await respondOnce(rows.database, { ...request, fingerprint: 'two' }, work),
    ).toMatchObject({ replayed: false })
  })

  it('keeps nothing when the connection dies in the middle, or just before the commit', async () => {
    for (const kill of ['before', 'after']) {
      const dying = respondOnce(rows.database, request, async (client) => {
        const die = () => client.query('select pg_terminate_backend(pg_backend_pid())')
        if (kill === 'before') await die()
        const answer = await work(client)
        await die()
        return answer
      })
      await expect(dying).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
      expect(await done()).toBe(0)
    }
    expect(await respondOnce(rows.database, request, work)).toMatchObject({ replayed: false })
    expect(await respondOnce(rows.database, request, work)).toMatchObject({ replayed: true })
    expect(await done()).toBe(1)
  })

  it('waits for the first one to end; when that takes over five seconds, says when to come back', async () => {
    // Another replica that is slow: it holds the key in a transaction that doesn't end.
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
    expect(works).toBe(0)
    await first.end()
  })

  it('is free again after a day, and forgotten', async () => {
    const age = (hours: number) =>
      rows.database.query(
        `update gateway.idempotency_keys set created_at = created_at - $1 * interval '1 hour'`,
        [hours],
      )
    await respondOnce(rows.database, request, work)
    await age(23)
    await forgetKeys(rows.database)
    expect(await respondOnce(rows.database, request, work)).toMatchObject({ replayed: true })
    await age(2)
    expect(
      await respondOnce(rows.database, { ...request, fingerprint: 'two' }, work),
    ).toMatchObject({ replayed: false })
    await age(25)
    await forgetKeys(rows.database)
    expect(await rows.database.query('select 1 from gateway.idempotency_keys')).toEqual([])
  })

  it('is not needed: without one every request does its work', async () => {
    await respondOnce(rows.database, undefined, work)
    await respondOnce(rows.database, undefined, work)
    expect(await done()).toBe(2)
  })
})
