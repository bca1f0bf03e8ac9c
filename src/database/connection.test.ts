import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { openTestDatabase, type TestDatabase } from '../sandbox/test-database.ts'
import { type Database, type DatabaseOptions, openDatabase } from './connection.ts'
import { isDatabaseUnavailable } from './database-errors.ts'

const unavailable = { code: 'DATABASE_UNAVAILABLE', status: 503 }

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

  /** Opens all connections of the pool and leaves them idle. */
  const fillPool = (database: Database) =>
    Promise.all([1, 2, 3].map(() => database.query('select pg_sleep(0.05)')))

  async function timed<T>(work: Promise<T>) {
    const startedMs = performance.now()
    const [result] = await Promise.allSettled([work])
    return { result, ms: performance.now() - startedMs }
  }

  it('rejects with 503 when no connection becomes free in time', async () => {
    const database = open({ poolMax: 1, connectTimeoutMs: 1_000 })
    await database.transaction(async () => {
      const { result, ms } = await timed(database.query('select 1'))
      expect(result).toMatchObject({ status: 'rejected', reason: unavailable })
      expect(ms).toBeLessThan(20_000)
    })
    expect(await database.query('select 1 as n')).toEqual([{ n: 1 }])
  })

  it('prepares each statement once per connection, and survives a change of its table', async () => {
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
    // The next release's migration does this while this release runs.
    await database.query('alter table gateway.presentations add column later text')
    expect(await database.query(find, ['alice'])).toEqual([])
  })

  it('does not report an outage after a pause of its own process', async () => {
    const database = open({ url: test.url, poolMax: 1, connectTimeoutMs: 600 })
    const pauseProcess = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900)
    const sent = () => new Promise((resolve) => setImmediate(resolve))
    // The process pauses while it connects, and while it waits for a free connection. When it
    // resumes, the response has arrived but is not read yet.
    const first = database.transaction((client) => client.query('select 1 as n'))
    await sent()
    pauseProcess()
    expect(await first).toEqual([{ n: 1 }])
    const holder = database.query('select pg_sleep(0.03)')
    const next = database.query('select 1 as n')
    await sent()
    pauseProcess()
    expect(await next).toEqual([{ n: 1 }])
    await holder
  })

  it('replaces all silent connections after the first statement that times out', async () => {
    const database = open({ queryTimeoutMs: 300 })
    await fillPool(database)
    expect(proxy.accepted).toBe(3)
    proxy.stall()
    const first = await timed(database.query('select 1'))
    expect(first.result).toMatchObject({ status: 'rejected', reason: unavailable })
    expect(first.ms).toBeLessThan(15_000)
    // The other silent connections are not tried one by one.
    const next = await timed(fillPool(database))
    expect(next.result.status).toBe('fulfilled')
    expect(proxy.accepted).toBe(6)
  })

  it('waits once for a silent transaction, and sends no further statement in it', async () => {
    const database = open({ queryTimeoutMs: 400 })
    const sent: unknown[] = []
    const work = database.transaction(async (client) => {
      const query = client.query.bind(client) as (text: string) => Promise<unknown>
      function record(text: string) {
        sent.push(text)
        return query(text)
      }
      Object.assign(client, { query: record })
      proxy.stall()
      await client.query('select 1')
    })
    await expect(work).rejects.toMatchObject(unavailable)
    expect(sent).toEqual(['select 1'])
    expect(await database.query('select 1 as n')).toEqual([{ n: 1 }])
  })

  it('limits a statement to 15 s and a pause inside a transaction to 5 s', async () => {
    const [{ statement, idle } = { statement: '', idle: '' }] = await open().query<{
      statement: string
      idle: string
    }>(
      `select current_setting('statement_timeout') as statement, current_setting('idle_in_transaction_session_timeout') as idle`,
    )
    expect([statement, idle]).toEqual(['15s', '5s'])
  })

  it('is independent of the defaults of its role and database', async () => {
    const admin = open({ url: test.url })
    for (const setting of [
      `client_encoding = 'LATIN1'`,
      `datestyle = 'German'`,
      `default_transaction_isolation = 'serializable'`,
    ]) {
      await admin.query(`alter database ${test.name} set ${setting}`)
    }
    const [row] = await open().query(
      `select 'ł' as text, '2026-01-02T03:04:05Z'::timestamptz as time,
         current_setting('transaction_isolation') as isolation`,
    )
    expect(row).toEqual({
      text: 'ł',
      time: new Date('2026-01-02T03:04:05Z'),
      isolation: 'read committed',
    })
  })

  it('pings a database only if it accepts writes, and then has new connections', async () => {
    const database = open({ poolMax: 1 })
    await database.ping()
    const [before] = await database.query('select pg_backend_pid() as pid')
    await database.query('set default_transaction_read_only = on')
    await expect(database.ping()).rejects.toMatchObject({ trouble: { reason: 'misconfigured' } })
    await expect(database.query('create table t (n int)')).rejects.toMatchObject(unavailable)
    await database.ping()
    expect(await database.query('select pg_backend_pid() as pid')).not.toEqual([before])
  })

  it('recovers after reset connections and after an outage of the server', async () => {
    const database = open()
    await fillPool(database)
    proxy.cut()
    await expect.poll(() => database.query('select 1').catch(() => undefined)).toBeTruthy()
    await proxy.down()
    await expect(database.query('select 1')).rejects.toMatchObject(unavailable)
    await expect(database.transaction(async () => 1)).rejects.toMatchObject(unavailable)
    await proxy.up()
    expect(await database.transaction(async (client) => client.query('select 1 as n'))).toEqual([
      { n: 1 },
    ])
  })

  it('reports a reset during a transaction as an outage, and rolls it back', async () => {
    const database = open()
    await database.query('create table t (n int)')
    const write = database.transaction(async (client) => {
      await client.query('insert into t values (1)')
      proxy.cut()
      await client.query('insert into t values (2)')
    })
    await expect(write).rejects.toMatchObject(unavailable)
    expect(await database.query('select n from t')).toEqual([])
  })

  it('survives a connection that the server ends just before its next use', async () => {
    const database = open({ poolMax: 1 })
    const [{ pid } = { pid: 0 }] = await database.query<{ pid: number }>(
      'select pg_backend_pid() as pid',
    )
    proxy.holdResponses()
    const first = database.query('select 1 as n')
    const second = database.transaction(async (client) => client.query('select 2 as n'))
    const outcomes = Promise.allSettled([first, second])
    await expect.poll(() => proxy.heldBytes).toBeGreaterThan(0)
    const bytesOfFirst = proxy.heldBytes
    const admin = openDatabase({ url: test.url, poolMax: 1 })
    await admin.query('select pg_terminate_backend($1)', [pid])
    await admin.close()
    await expect.poll(() => proxy.heldBytes).toBeGreaterThan(bytesOfFirst)
    proxy.releaseResponses()
    const [firstOutcome, secondOutcome] = await outcomes
    expect(firstOutcome).toMatchObject({ status: 'fulfilled', value: [{ n: 1 }] })
    expect(secondOutcome).toMatchObject({ status: 'rejected', reason: unavailable })
    expect(await database.query('select 3 as n')).toEqual([{ n: 3 }])
  })

  it('rejects a transaction in which a statement failed, even if the error was caught', async () => {
    const database = open()
    await database.query('create table t (n int)')
    const write = database.transaction(async (client) => {
      await client.query('insert into t values (1)')
      await client.query('select 1 / 0').catch(() => undefined)
    })
    await expect(write).rejects.toThrow('rolled back')
    expect(await database.query('select n from t')).toEqual([])
  })

  it('closes although the server is silent', async () => {
    const database = open()
    opened.pop()
    await fillPool(database)
    proxy.stall({ includeNew: true })
    expect((await timed(database.close())).ms).toBeLessThan(15_000)
  })
})

describe('isDatabaseUnavailable', () => {
  const withCode = (code: string) => Object.assign(new Error('x'), { code })

  it('is true for outages and false for failed statements', () => {
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
      expect(isDatabaseUnavailable(withCode(code)), code).toBe(true)
    }
    for (const code of ['23505', '42P01', '22P02', '55P03', 'ERR_ASSERTION']) {
      expect(isDatabaseUnavailable(withCode(code)), code).toBe(false)
    }
    expect(isDatabaseUnavailable(new AggregateError([withCode('ECONNREFUSED')]))).toBe(true)
    expect(isDatabaseUnavailable('not an error')).toBe(false)
  })
})
