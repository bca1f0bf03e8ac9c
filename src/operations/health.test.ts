import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createHealth } from './health.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function open() {
  const asked = { database: 0, storage: 0 }
  let database: () => Promise<void> = async () => undefined
  const health = createHealth({
    version: '1.0.0',
    commit: null,
    isClosing: () => false,
    pingDatabase: () => {
      asked.database += 1
      return database()
    },
    pingStorage: async () => {
      asked.storage += 1
    },
    pingPresenton: async () => undefined,
    presentonState: () => ({ breaker: 'closed', supported: true }),
  })
  function answer(ping: () => Promise<void>) {
    database = ping
  }
  return { asked, health, answer }
}

it('takes one look for all who ask within two seconds', async () => {
  const { asked, health } = open()
  expect((await Promise.all([health(), health()])).map(({ status }) => status)).toEqual([
    'ok',
    'ok',
  ])
  vi.advanceTimersByTime(1_999)
  await health()
  expect(asked).toEqual({ database: 1, storage: 1 })
  vi.advanceTimersByTime(2)
  await health()
  expect(asked).toEqual({ database: 2, storage: 2 })
})

it('sees a database that has come within a tenth of a second, and asks one that is away no more often', async () => {
  const { asked, health, answer } = open()
  answer(() => Promise.reject(new Error('away')))
  expect((await health()).status).toBe('down')
  answer(async () => undefined)
  vi.advanceTimersByTime(99)
  expect((await health()).status).toBe('down')
  vi.advanceTimersByTime(2)
  expect((await health()).status).toBe('ok')
  expect(asked.database).toBe(2)
})

it('asks a database that says nothing once for all who wait, and gives up after three seconds', async () => {
  const { asked, health, answer } = open()
  answer(() => new Promise(() => undefined))
  const first = health()
  await vi.advanceTimersByTimeAsync(2_500)
  const second = health()
  await vi.advanceTimersByTimeAsync(500)
  expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual(['down', 'down'])
  expect(asked.database).toBe(1)
})
