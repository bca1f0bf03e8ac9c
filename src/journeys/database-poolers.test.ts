// A pooler between the gateway and Postgres: in session mode everything works; in transaction mode
// the gateway says at its start that it needs sessions, and starts once it gets them.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openGateway } from '../sandbox/gateway.ts'
import { hasPgbouncer, openPgbouncer } from '../sandbox/pgbouncer.ts'
import { openPooler } from '../sandbox/pooler.ts'
import { openWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 120_000 })
const waiting = { timeout: 60_000, interval: 50 }

let world: World
beforeAll(async () => {
  world = await openWorld({ replicas: 0 })
})
afterAll(() => world.close())

const openGatewayAt = (url: string, env: Record<string, string> = {}) =>
  openGateway({ ...world.variables, ...env, DATABASE_URL: url }, { waitUntilReady: false })

async function databaseCheckOf({ url }: { url: string }) {
  const response = await fetch(`${url}/health/ready`)
  const { checks } = (await response.json()) as { checks: { database: object } }
  return { httpStatus: response.status, ...checks.database }
}

const named = {
  httpStatus: 503,
  status: 'unavailable',
  reason: 'unsupported',
  variable: 'DATABASE_URL',
  detail: expect.stringContaining('transaction pooler'),
}

describe.each([
  ['a stand-in for PgBouncer', true, openPooler],
  ['PgBouncer', hasPgbouncer, openPgbouncer],
] as const)('behind %s', (_, isInstalled, open) => {
  test.skipIf(!isInstalled)('in session mode a deck is made, and events are heard', async () => {
    const pooler = await open({ url: world.database.url, mode: 'session' })
    const replicas = [
      await world.openReplica({ DATABASE_URL: pooler.url }),
      await world.openReplica({ DATABASE_URL: pooler.url, WORKER: 'false' }),
    ]
    const user = await world.createUser()
    const { status, body } = await user.post(undefined, {}, replicas[1]!.url)
    expect(status).toBe(202)
    expect(await user.waitUntilSettled(body.id, replicas[1]!.url)).toMatchObject({
      status: 'completed',
    })
    for (const replica of replicas) {
      expect(await databaseCheckOf(replica)).toEqual({ httpStatus: 200, status: 'ok' })
    }
    await world.expectNoLeaks()
    for (const replica of replicas) await world.closeReplica(replica)
    await pooler.close()
  })

  test.skipIf(!isInstalled).each([1, 2, 20])(
    'in transaction mode with %i server connections it says that it needs sessions',
    async (poolSize) => {
      const pooler = await open({ url: world.database.url, mode: 'transaction', poolSize })
      const gateway = await openGatewayAt(pooler.url)
      await vi.waitFor(async () => expect(await databaseCheckOf(gateway)).toEqual(named), waiting)
      const lines = gateway.logs.filter((line) => line.includes('transaction pooler'))
      expect(lines.map((line) => JSON.parse(line))).toEqual([
        expect.objectContaining({
          part: 'database',
          reason: 'unsupported',
          variable: 'DATABASE_URL',
        }),
      ])
      await gateway.close()
      await pooler.close()
    },
  )

  test.skipIf(!isInstalled)('in transaction mode it is named without migrations, too', async () => {
    const pooler = await open({ url: world.database.url, mode: 'transaction' })
    const gateway = await openGatewayAt(pooler.url, { MIGRATE_ON_START: 'false' })
    await vi.waitFor(async () => expect(await databaseCheckOf(gateway)).toEqual(named), waiting)
    await gateway.close()
    await pooler.close()
  })
})

test('starts once the pooler is in session mode', async () => {
  const pooler = await openPooler({ url: world.database.url, mode: 'transaction' })
  const gateway = await openGatewayAt(pooler.url)
  await vi.waitFor(async () => expect(await databaseCheckOf(gateway)).toEqual(named), waiting)
  pooler.changeMode('session')
  const works = { httpStatus: 200, status: 'ok' }
  await vi.waitFor(async () => expect(await databaseCheckOf(gateway)).toEqual(works), waiting)
  await gateway.close()
  await pooler.close()
})

test('names a start-up parameter of the URL that the pooler refuses', async () => {
  const pooler = await openPooler({ url: world.database.url, mode: 'session' })
  const gateway = await openGatewayAt(`${pooler.url}?options=-csearch_path%3Dapp`)
  await vi.waitFor(
    async () =>
      expect(await databaseCheckOf(gateway)).toMatchObject({
        reason: 'misconfigured',
        variable: 'DATABASE_URL',
        detail: expect.stringContaining('start-up parameter'),
      }),
    waiting,
  )
  await gateway.close()
  await pooler.close()
})

test('says that a session pooler has too few connections', async () => {
  const pooler = await openPooler({ url: world.database.url, mode: 'session', poolSize: 1 })
  const gateway = await openGatewayAt(pooler.url)
  await vi.waitFor(
    async () =>
      expect(await databaseCheckOf(gateway)).toMatchObject({
        reason: 'limit_reached',
        variable: 'DATABASE_POOL_MAX',
      }),
    waiting,
  )
  await gateway.close()
  await pooler.close()
})

test('many replicas that start at once behind a session pooler all start', async () => {
  const pooler = await openPooler({ url: world.database.url, mode: 'session', poolSize: 60 })
  const gateways = await Promise.all(Array.from({ length: 4 }, () => openGatewayAt(pooler.url)))
  for (const gateway of gateways) {
    await vi.waitFor(
      async () => expect(await databaseCheckOf(gateway)).toMatchObject({ status: 'ok' }),
      waiting,
    )
    expect(gateway.logs.join('')).not.toContain('transaction pooler')
  }
  await Promise.all(gateways.map((gateway) => gateway.close()))
  await pooler.close()
})
