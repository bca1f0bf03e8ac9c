import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSpeedCheck } from './speed-check.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const never = () => new Promise<never>(() => undefined)
const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const open = (timeoutMs = 3_600_000) => createSpeedCheck({ timeoutMs, now: () => Date.now() })

/** The code of the refusal, or undefined after success. */
async function outcomeOf(work: Promise<unknown>, advanceMs: number) {
  const outcome = work.then(
    () => undefined,
    ({ code }) => code,
  )
  await vi.advanceTimersByTimeAsync(advanceMs)
  return outcome
}

test('a sender that sends nothing for 20 s is refused', async () => {
  expect(await outcomeOf(open().measure(never()), 20_000)).toBe('REQUEST_TIMEOUT')
})

test('a sender of less than 1 KiB/s is refused after 20 s, a faster one never', async () => {
  async function send(check: ReturnType<typeof open>, bytesPerSecond: number) {
    for (let second = 0; second < 60; second += 1) {
      await check.measure(later(1000))
      check.add(bytesPerSecond)
    }
  }
  expect(await outcomeOf(send(open(), 1000), 60_000)).toBe('REQUEST_TIMEOUT')
  expect(await outcomeOf(send(open(), 1030), 60_000)).toBeUndefined()
})

test('time in which nothing is read does not count', async () => {
  const check = open()
  async function send() {
    await check.measure(later(15_000))
    await later(60_000)
    check.add(30_000)
    await check.measure(later(15_000))
    check.add(1)
  }
  expect(await outcomeOf(send(), 120_000)).toBeUndefined()
})

test('the whole body has a deadline, also while nothing is read', async () => {
  const check = open(5_000)
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await outcomeOf(check.measure(later(1)), 1)).toBe('REQUEST_TIMEOUT')
  expect(await outcomeOf(open(5_000).measure(never()), 5_000)).toBe('REQUEST_TIMEOUT')
})
