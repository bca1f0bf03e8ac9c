import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { openTestDatabase, type TestDatabase } from '../sandbox/test-database.ts'
import { type Database, type DatabaseOptions, isDatabaseAway, openDatabase } from './connection.ts'

const away = { code: 'DATABASE_UNAVAILABLE', status: 503 }

describe('the pool', () => {
  let test: TestDatabase
  let proxy: TcpProxy
  const opened: Database[] = []
  beforeEach(async () => {
    test = await openTestDatabase()
    proxy = await openTcpProxy({ port: Number(new URL(test.url).port) })
  })
  afterEach(async () => {
    proxy.resetStalled()
    for (const database of opened.splice(0)) await database.close()
    await proxy.close()
    await test.close()
  })

  function open(options: Partial<DatabaseOptions> = {}) {
    const database = openDatabase({ url: proxy.through(test.url), poolMax: 3, ...options })
    opened.push(database)
    return database
  }

  /** All of its connections made, and idle. */
  const warm = (database: Database) =>
    Promise.all([1, 2, 3].map(() => database.query('select pg_sleep(0.05)')))

  async function timed<T>(work: Promise<T>) {
    const startedMs = performance.now()
    const [result] = await Promise.allSettled([work])
    return { result, ms: performance.now() - startedMs }
  }

  it('answers when it is exhausted, instead of letting wait', async () => {
    const database = open({ poolMax: 1, connectMs: 200 })
    await database.transaction(async () => {
      const { result, ms } = await timed(database.query('select 1'))
      expect(result).toMatchObject({ status: 'rejected', reason: away })
      expect(ms).toBeLessThan(4_000)
    })
    expect(await database.query('select 1 as n')).toEqual([{ n: 1 }])
  })

  it('has each statement prepared once for a connection, in transactions too, also when its table changes underneath', async () => {
    const database = open({ poolMax: 1 })
    const find = 'select id, title from gateway.presentations where user_id = $1'
    const prepared = () =>
      database.query(
        'select statement, calls from (select statement, generic_plans + custom_plans as calls from pg_prepared_statements) kept where statement = $1',
        [find],
      )
    for (let n = 0; n < 8; n += 1) await database.query(find, ['alice'])
    await database.transaction((client) => client.query(find, ['alice']))
    expect(await prepared()).toEqual([{ statement: find, calls: 9 }])
    // As the next release's migration does under a running one.
    await database.query('alter table gateway.presentations add column later text')
    expect(await database.query(find, ['alice'])).toEqual([])
  })

  it('does not take a pause of its own process for an absence of the database', async () => {
    const database = open({ url: test.url, poolMax: 1, connectMs: 600 })
    const stop = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900)
    const sent = () => new Promise((resolve) => setImmediate(resolve))
    // While a connection is made, and while one is waited for: all is there when the process goes
    // on, and not yet read.
    const first = database.transaction((client) => client.query('select 1 as n'))
    await sent()
    stop()
    expect(await first).toEqual([{ n: 1 }])
    const holder = database.query('select pg_sleep(0.03)')
    const next = database.query('select 1 as n')
    await sent()
    stop()
    expect(await next).toEqual([{ n: 1 }])
    await holder
  })

  it('finds out all connections that vanished without a word by the first statement that waits in vain', async () => {
    const database = open({ silenceMs: 300 })
    await warm(database)
    expect(proxy.accepted).toBe(3)
    proxy.stall()
    const first = await timed(database.query('select 1'))
    expect(first.result).toMatchObject({ status: 'rejected', reason: away })
    expect(first.ms).toBeLessThan(4_000)
    // The others are not tried one by one: every statement from here on has a connection that
    // works.
    const next = await timed(warm(database))
    expect(next.result.status).toBe('fulfilled')
    expect(proxy.accepted).toBe(6)
  })

  it('waits once for a transaction that fell silent, and says nothing more into it', async () => {
    const database = open({ silenceMs: 400 })
    const asked: unknown[] = []
    const work = database.transaction(async (client) => {
      const query = client.query.bind(client) as (text: string) => Promise<unknown>
      function note(text: string) {
        asked.push(text)
        return query(text)
      }
      Object.assign(client, { query: note })
      proxy.stall()
      await client.query('select 1')
    })
    await expect(work).rejects.toMatchObject(away)
    expect(asked).toEqual(['select 1'])
    expect(await database.query('select 1 as n')).toEqual([{ n: 1 }])
  })

  it('notices a silence within half a minute, and gives up locks of whoever pauses in a transaction sooner', async () => {
    const [{ statement, idle } = { statement: '', idle: '' }] = await open().query<{
      statement: string
      idle: string
    }>(
      `select current_setting('statement_timeout') as statement, current_setting('idle_in_transaction_session_timeout') as idle`,
    )
    expect([statement, idle]).toEqual(['15s', '5s'])
  })

  it('goes on by itself after its connections were reset, and after the server was away', async () => {
    const database = open()
    await warm(database)
    proxy.cut()
    await expect.poll(() => database.query('select 1').catch(() => undefined)).toBeTruthy()
    await proxy.down()
    await expect(database.query('select 1')).rejects.toMatchObject(away)
    await expect(database.transaction(async () => 1)).rejects.toMatchObject(away)
    await proxy.up()
    expect(await database.transaction(async (client) => client.query('select 1 as n'))).toEqual([
      { n: 1 },
    ])
  })

  it('calls a reset in the middle of a transaction what it is, and undoes it', async () => {
    const database = open()
    await database.query('create table t (n int)')
    const write = database.transaction(async (client) => {
      await client.query('insert into t values (1)')
      proxy.cut()
      await client.query('insert into t values (2)')
    })
    await expect(write).rejects.toMatchObject(away)
    expect(await database.query('select n from t')).toEqual([])
  })

  it('survives a server that says goodbye just as a connection changes hands', async () => {
    const database = open({ poolMax: 1 })
    const [{ pid } = { pid: 0 }] = await database.query<{ pid: number }>(
      'select pg_backend_pid() as pid',
    )
    proxy.holdResponses()
    const first = database.query('select 1 as n')
    const second = database.transaction(async (client) => client.query('select 2 as n'))
    const outcomes = Promise.allSettled([first, second])
    await expect.poll(() => proxy.heldBytes).toBeGreaterThan(0)
    const answered = proxy.heldBytes
    const admin = openDatabase({ url: test.url, poolMax: 1 })
    await admin.query('select pg_terminate_backend($1)', [pid])
    await admin.close()
    await expect.poll(() => proxy.heldBytes).toBeGreaterThan(answered)
    proxy.releaseResponses()
    const [one, two] = await outcomes
    expect(one).toMatchObject({ status: 'fulfilled', value: [{ n: 1 }] })
    expect(two).toMatchObject({ status: 'rejected', reason: away })
    expect(await database.query('select 3 as n')).toEqual([{ n: 3 }])
  })

  it('does not take a transaction for committed of which a statement had failed', async () => {
    const database = open()
    await database.query('create table t (n int)')
    const write = database.transaction(async (client) => {
      await client.query('insert into t values (1)')
      await client.query('select 1 / 0').catch(() => undefined)
    })
    await expect(write).rejects.toThrow('failed before')
    expect(await database.query('select n from t')).toEqual([])
  })

  it('closes also when nobody answers', async () => {
    const database = open()
    opened.pop()
    await warm(database)
    proxy.stall({ includeNew: true })
    expect((await timed(database.close())).ms).toBeLessThan(3_000)
  })
})

describe('what the driver and the server say', () => {
  const withCode = (code: string) => Object.assign(new Error('x'), { code })

  it('is told apart: away, or wrong', () => {
    for (const code of [
      '08006',
      '57P01',
      '57P03',
      '53300',
      '25006',
      '40P01',
      'ECONNREFUSED',
      'EAI_AGAIN',
      'EPIPE',
      '3D000',
    ]) {
      expect(isDatabaseAway(withCode(code)), code).toBe(true)
    }
    for (const code of ['23505', '42P01', '22P02', '55P03', 'ERR_ASSERTION']) {
      expect(isDatabaseAway(withCode(code)), code).toBe(false)
    }
    expect(isDatabaseAway(new AggregateError([withCode('ECONNREFUSED')]))).toBe(true)
    expect(isDatabaseAway('no error')).toBe(false)
  })
})
