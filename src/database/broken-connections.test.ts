// Breaks the connection at every message of a claim and of a run's writes, before the server
// receives it or after the server has responded. Every write must be applied exactly once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logEvent, openTestRows, type TestRows } from '../sandbox/rows.ts'
import { openTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { createChannels } from './channels.ts'
import { type Database, openDatabase } from './connection.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import { readLogPage } from './event-log.ts'
import { claim, type Run } from './leases.ts'
import { createRunLog } from './run-log.ts'

const slots = { maxRunning: 1000, maxRunningPerUser: 1000, leaseMs: 60_000 }

describe.each(['cut', 'cut-after-response'] as const)('a connection that is %s', (verdict) => {
  let rows: TestRows
  let proxy: TcpProxy
  let database: Database
  beforeAll(async () => {
    rows = await openTestRows()
    proxy = await openTcpProxy({ port: Number(new URL(rows.url).port) })
    database = openDatabase({ url: proxy.through(rows.url), poolMax: 2, queryTimeoutMs: 500 })
  })
  afterAll(async () => {
    await database.close()
    await proxy.close()
    await rows.close()
  })

  /** Repeats the work with the break one message later each time, until no break happens. */
  async function sweep(work: () => Promise<void>): Promise<number> {
    for (let at = 1; ; at += 1) {
      let message = 0
      proxy.inspect(() => (++message === at ? verdict : 'pass'))
      await work()
      proxy.inspect()
      if (message < at) return at
    }
  }

  it('loses no claim and counts no takeover', async () => {
    const broken = await sweep(async () => {
      const id = await rows.insert()
      const token = crypto.randomUUID()
      let run: Run | undefined
      while (!run) {
        run = await claim(database, { ...slots, token, takeOver: false }).catch((error) => {
          if (!isDatabaseUnavailable(error)) throw error
          return undefined
        })
      }
      expect(run).toMatchObject({ id, token, takeovers: 0 })
      await rows.database.query(
        `update gateway.presentations set status = 'completed' where id = $1`,
        [id],
      )
    })
    // The messages: startup, begin with the lock, claim, commit.
    expect(broken).toBeGreaterThan(3)
  })

  it('neither loses nor repeats an event, a change or an extra statement', async () => {
    const broken = await sweep(async () => {
      const id = await rows.insert()
      const run = (await claim(rows.database, slots)) as Run
      const log = createRunLog({
        ...{ database, channels: createChannels(undefined), run },
        signal: new AbortController().signal,
        onLost: () => expect.fail('the lease was not lost'),
      })
      const uploads = (n: number) => ({
        text: 'update gateway.presentations set uploads = uploads + $2 where id = $1',
        values: [n],
      })
      await log.commit({ events: [logEvent('{"n":1}')], changes: { slidesDone: 1 } })
      await log.commit({
        events: [logEvent('{"n":2}'), logEvent('{"n":3}')],
        extraStatements: [uploads(1), uploads(10)],
      })
      await log.commit({ changes: { exportPath: '/a' } })
      await log.commit({
        events: [logEvent('{"n":4}', true)],
        changes: { status: 'completed' },
        extraStatements: [uploads(100)],
        release: true,
      })
      const page = await readLogPage(rows.database, { id, after: 1 })
      expect(page?.events.map(({ seq, data }) => [seq, JSON.parse(data).n])).toEqual([
        [2, 1],
        [3, 2],
        [4, 3],
        [5, 4],
      ])
      const [row] = await rows.database.query(
        `select p.status, p.slides_done, p.presenton_path, p.uploads, l.token from gateway.presentations p
         join gateway.leases l on l.presentation_id = p.id where p.id = $1`,
        [id],
      )
      expect(row).toEqual({
        status: 'completed',
        slides_done: 1,
        presenton_path: '/a',
        uploads: 111,
        token: null,
      })
    })
    expect(broken).toBeGreaterThan(10)
  }, 60_000)
})
