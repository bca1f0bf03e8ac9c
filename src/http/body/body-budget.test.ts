// Who may be read from, and who waits until there is room.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type BodyBudget, createBodyBudget } from './body-budget.ts'

const bounds = { perUser: 10, inAll: 25, waitingPerUser: 2, waitingInAll: 4, patienceMs: 1_000 }
let room: BodyBudget
let seen: string[]

beforeEach(() => {
  vi.useFakeTimers()
  room = createBodyBudget(bounds)
  seen = []
})
afterEach(() => void vi.useRealTimers())

function take(user: string, bytes: number, name = `${user} ${bytes}`) {
  const place = room.take(user, bytes)
  place.granted.then(
    () => seen.push(name),
    (error: { code: string }) => seen.push(`${name}: ${error.code}`),
  )
  return place
}

/** What has come of it since. */
async function news(): Promise<string[]> {
  await vi.advanceTimersByTimeAsync(0)
  return seen.splice(0)
}

test("a user's bodies find room up to a bound, and the next when one is gone", async () => {
  const first = take('alice', 6)
  take('alice', 4)
  const third = take('alice', 5)
  expect(await news()).toEqual(['alice 6', 'alice 4'])
  first.release()
  expect(await news()).toEqual(['alice 5'])
  third.release()
  third.release()
  take('alice', 7)
  expect(await news()).toEqual([])
})

test("one user's waiting holds no other up, until the room of all is full", async () => {
  take('mallory', 10)
  take('mallory', 10, 'the second')
  const other = take('alice', 10)
  take('bob', 6)
  expect(await news()).toEqual(['mallory 10', 'alice 10'])
  other.release()
  expect(await news()).toEqual(['bob 6'])
})

test('small ones are let in before large ones', async () => {
  const held = take('alice', 10)
  take('alice', 9)
  take('alice', 3)
  await news()
  held.release()
  expect(await news()).toEqual(['alice 3'])
})

test('one too many is refused at once, and one that waits too long then; both may come again', async () => {
  const held = take('alice', 10)
  take('alice', 9)
  take('alice', 8)
  take('alice', 7)
  expect(await news()).toEqual(['alice 10', 'alice 7: RATE_LIMIT_EXCEEDED'])
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await news()).toEqual(
    ['alice 8: RATE_LIMIT_EXCEEDED', 'alice 9: RATE_LIMIT_EXCEEDED'].sort().reverse(),
  )
  held.release()
  take('alice', 7)
  expect(await news()).toEqual(['alice 7'])
  for (const user of ['bob', 'carol']) take(user, 9)
  for (const user of ['dan', 'eve', 'fay', 'gus']) take(user, 9)
  expect(await news()).toEqual(['bob 9', 'carol 9'])
  take('hal', 9)
  expect(await news()).toEqual(['hal 9: RATE_LIMIT_EXCEEDED'])
})

test('who leaves while waiting takes no room', async () => {
  const held = take('alice', 10)
  const gone = take('alice', 10, 'gone')
  take('alice', 10, 'next')
  await news()
  gone.release()
  held.release()
  expect(await news()).toEqual(['next'])
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await news()).toEqual([])
})
