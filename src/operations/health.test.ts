import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createHealth } from './health.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function openHealth() {
  const pings = { database: 0, storage: 0 }
  let pingDatabase: () => Promise<void> = async () => undefined
  const health = createHealth({
    version: '1.0.0',
    commit: null,
    isClosing: () => false,
    pingDatabase: () => {
      pings.database += 1
      return pingDatabase()
    },
    pingStorage: async () => {
      pings.storage += 1
    },
    pingPresenton: async () => undefined,
    presentonState: () => ({ breaker: 'closed', supported: true }),
  })
  function replaceDatabasePing(ping: () => Promise<void>) {
    pingDatabase = ping
  }
  return { pings, health, replaceDatabasePing }
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
