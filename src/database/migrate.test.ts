import pg from 'pg'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { openTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { openTestDatabase, type TestDatabase } from '../sandbox/test-database.ts'
import { isDatabaseAway } from './connection.ts'
import { migrate } from './migrate.ts'

let test: TestDatabase
let proxy: TcpProxy
beforeEach(async () => {
  test = await openTestDatabase()
  proxy = await openTcpProxy({ port: Number(new URL(test.url).port) })
})
afterEach(async () => {
  proxy.resetStalled()
  await proxy.close()
  await test.close()
})

it('reports a silent server as unavailable, so that the start waits for it', async () => {
  proxy.stall({ includeNew: true })
  const failure = await migrate(proxy.through(test.url), { connectMs: 100 }).catch(
    (error: unknown) => error,
  )
  expect(failure).toMatchObject({ message: 'timeout expired' })
  expect(isDatabaseAway(failure)).toBe(true)
})

it('stops at once on abort while the server is silent', async () => {
  proxy.stall({ includeNew: true })
  const controller = new AbortController()
  const migrating = migrate(proxy.through(test.url), {
    signal: controller.signal,
    connectMs: 600_000,
  })
  const failed = expect(migrating).rejects.toThrow('Connection terminated')
  await vi.waitFor(() => expect(proxy.accepted).toBe(1))
  controller.abort()
  await failed
})

it('stops at once on abort while another process migrates', async () => {
  const other = new pg.Client({ connectionString: test.url })
  await other.connect()
  await other.query('select pg_advisory_lock(7260137)')
  const controller = new AbortController()
  const migrating = migrate(proxy.through(test.url), { signal: controller.signal })
  const failed = expect(migrating).rejects.toThrow()
  await vi.waitFor(async () => {
    const { rows } = await other.query(
      `select 1 from pg_stat_activity where query like 'select pg_try_advisory_xact_lock%'`,
    )
    expect(rows).toHaveLength(1)
  })
  controller.abort()
  await failed
  await other.end()
})

it('does not connect when it is already aborted', async () => {
  await expect(migrate(proxy.through(test.url), { signal: AbortSignal.abort() })).rejects.toThrow()
  expect(proxy.accepted).toBe(0)
})
