import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createTroubles } from '../telemetry/troubles.ts'
import { createHealth } from './health.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function openHealth() {
  const pings = { database: 0, storage: 0 }
  let pingDatabase: () => Promise<void> = async () => undefined
  const troubles = createTroubles({ logger: { warn: vi.fn(), info: vi.fn() } })
  let breaker = 'closed'
  const memory = { used: 10, limit: 100 }
  const health = createHealth({
    version: '1.0.0',
    commit: null,
    isClosing: () => false,
    pinged: {
      database: {
        variable: 'DATABASE_URL',
        ping: () => {
          pings.database += 1
          return pingDatabase()
        },
      },
      storage: {
        variable: 'MINIO_ENDPOINT',
        ping: async () => {
          pings.storage += 1
        },
        explain: () => undefined,
      },
      presenton: { variable: 'PRESENTON_URL', ping: async () => undefined },
    },
    presentonState: () => ({ breaker, supported: true }),
    memory: () => memory,
    troubles,
  })
  function replaceDatabasePing(ping: () => Promise<void>) {
    pingDatabase = ping
  }
  const openCircuit = () => {
    breaker = 'open'
  }
  return { pings, health, troubles, replaceDatabasePing, openCircuit, memory }
}

it('shares one check among all requests within two seconds', async () => {
  const { pings, health } = openHealth()
  expect((await Promise.all([health(), health()])).map(({ status }) => status)).toEqual([
    'ok',
    'ok',
  ])
  vi.advanceTimersByTime(1_999)
  await health()
  expect(pings).toEqual({ database: 1, storage: 1 })
  vi.advanceTimersByTime(2)
  await health()
  expect(pings).toEqual({ database: 2, storage: 2 })
})

it('checks an unavailable database again after 100 ms, and no sooner', async () => {
  const { pings, health, replaceDatabasePing } = openHealth()
  replaceDatabasePing(() => Promise.reject(new Error('unavailable')))
  expect((await health()).status).toBe('down')
  replaceDatabasePing(async () => undefined)
  vi.advanceTimersByTime(99)
  expect((await health()).status).toBe('down')
  vi.advanceTimersByTime(2)
  expect((await health()).status).toBe('ok')
  expect(pings.database).toBe(2)
})

it('reports down after three seconds for a database that does not respond, with one ping', async () => {
  const { pings, health, replaceDatabasePing } = openHealth()
  replaceDatabasePing(() => new Promise(() => undefined))
  const first = health()
  await vi.advanceTimersByTimeAsync(2_500)
  const second = health()
  await vi.advanceTimersByTimeAsync(500)
  expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual(['down', 'down'])
  expect(pings.database).toBe(1)
})

it('names the reason and the variable of a part that fails, and forgets both when it works', async () => {
  const { health, replaceDatabasePing } = openHealth()
  replaceDatabasePing(() => Promise.reject(new Error('refused')))
  expect((await health()).checks.database).toEqual({
    status: 'unavailable',
    reason: 'unreachable',
    variable: 'DATABASE_URL',
    detail: 'It cannot be reached.',
  })
  replaceDatabasePing(async () => undefined)
  vi.advanceTimersByTime(101)
  expect((await health()).checks.database).toEqual({ status: 'ok' })
})

it('says of a part that does not respond that it does not respond', async () => {
  const { health, replaceDatabasePing } = openHealth()
  replaceDatabasePing(() => new Promise(() => undefined))
  const state = health()
  await vi.advanceTimersByTimeAsync(3_000)
  expect((await state).checks.database).toMatchObject({ reason: 'no_response' })
})

it('is degraded by what others report, also for parts that have no ping', async () => {
  const { health, troubles } = openHealth()
  troubles.report('model', {
    reason: 'limit_reached',
    variable: 'PRESENTON_URL',
    detail: 'Limits.',
  })
  expect(await health()).toMatchObject({
    status: 'degraded',
    checks: {
      presenton: { status: 'ok', circuit: 'closed' },
      model: { status: 'degraded', reason: 'limit_reached', variable: 'PRESENTON_URL' },
    },
  })
  troubles.clear('model')
  expect((await health()).checks).not.toHaveProperty('model')
})

it('is degraded while memory runs out', async () => {
  const { health, memory } = openHealth()
  expect(await health()).toMatchObject({ status: 'ok', checks: { memory: { status: 'ok' } } })
  memory.used = 95
  expect(await health()).toMatchObject({
    status: 'degraded',
    checks: { memory: { status: 'degraded', used: 95, limit: 100 } },
  })
})

it('says that the circuit is open', async () => {
  const { health, openCircuit } = openHealth()
  openCircuit()
  expect((await health()).checks.presenton).toMatchObject({
    status: 'unavailable',
    circuit: 'open',
    reason: 'failing',
    variable: 'PRESENTON_URL',
  })
})
