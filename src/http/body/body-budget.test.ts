import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type BodyBudget, createBodyBudget } from './body-budget.ts'

const limits = { perUser: 10, total: 25, waitingPerUser: 2, waitingTotal: 4, timeoutMs: 1_000 }
let budget: BodyBudget
let outcomes: string[]

beforeEach(() => {
  vi.useFakeTimers()
  budget = createBodyBudget(limits)
  outcomes = []
})
afterEach(() => void vi.useRealTimers())

function reserve(user: string, bytes: number, name = `${user} ${bytes}`) {
  const reservation = budget.reserve(user, bytes)
  reservation.granted.then(
    () => outcomes.push(name),
    (error: { code: string }) => outcomes.push(`${name}: ${error.code}`),
  )
  return reservation
}

/** The reservations granted or refused since the last call. */
async function newOutcomes(): Promise<string[]> {
  await vi.advanceTimersByTimeAsync(0)
  return outcomes.splice(0)
}

test("grants a user's reservations up to the limit, and the next one after a release", async () => {
  const first = reserve('alice', 6)
  reserve('alice', 4)
  const third = reserve('alice', 5)
  expect(await newOutcomes()).toEqual(['alice 6', 'alice 4'])
  first.release()
  expect(await newOutcomes()).toEqual(['alice 5'])
  third.release()
  third.release()
  reserve('alice', 7)
  expect(await newOutcomes()).toEqual([])
})

test("does not let one user's waiting bodies block other users until the total is used", async () => {
  reserve('mallory', 10)
  reserve('mallory', 10, 'the second')
  const other = reserve('alice', 10)
  reserve('bob', 6)
  expect(await newOutcomes()).toEqual(['mallory 10', 'alice 10'])
  other.release()
  expect(await newOutcomes()).toEqual(['bob 6'])
})

test('grants small bodies before large ones', async () => {
  const first = reserve('alice', 10)
  reserve('alice', 9)
  reserve('alice', 3)
  await newOutcomes()
  first.release()
  expect(await newOutcomes()).toEqual(['alice 3'])
})

test('refuses at once when too many wait, and after the timeout; both may try again', async () => {
  const first = reserve('alice', 10)
  reserve('alice', 9)
  reserve('alice', 8)
  reserve('alice', 7)
  expect(await newOutcomes()).toEqual(['alice 10', 'alice 7: RATE_LIMIT_EXCEEDED'])
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await newOutcomes()).toEqual([
    'alice 9: RATE_LIMIT_EXCEEDED',
    'alice 8: RATE_LIMIT_EXCEEDED',
  ])
  first.release()
  reserve('alice', 7)
  expect(await newOutcomes()).toEqual(['alice 7'])
  for (const user of ['bob', 'carol']) reserve(user, 9)
  for (const user of ['dan', 'eve', 'fay', 'gus']) reserve(user, 9)
  expect(await newOutcomes()).toEqual(['bob 9', 'carol 9'])
  reserve('hal', 9)
  expect(await newOutcomes()).toEqual(['hal 9: RATE_LIMIT_EXCEEDED'])
})

test('uses no memory for a reservation that is released while it waits', async () => {
  const first = reserve('alice', 10)
  const released = reserve('alice', 10, 'released')
  reserve('alice', 10, 'next')
  await newOutcomes()
  released.release()
  first.release()
  expect(await newOutcomes()).toEqual(['next'])
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await newOutcomes()).toEqual([])
})
