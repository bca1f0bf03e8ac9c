import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createParseQueue, type ParseQueue, smallBodyBytes } from './parse-queue.ts'

const largeBytes = 8 * 1024 * 1024
let queue: ParseQueue
let parsed: string[]
let blockedMs = 0

beforeEach(() => {
  vi.useFakeTimers()
  blockedMs = 0
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + blockedMs)
  queue = createParseQueue()
  parsed = []
})
afterEach(() => void vi.restoreAllMocks().useRealTimers())

/** Queues a body that blocks the event loop for `tookMs` and adds `name` to `parsed`. */
function addBody(user: string, bytes: number, { name = user, tookMs = 0 } = {}) {
  void queue.run({ user, bytes }, () => {
    parsed.push(name)
    blockedMs += tookMs
  })
}

const runIteration = () => vi.advanceTimersToNextTimer()

test('parses in a later iteration, and settles with the result or the error', async () => {
  const valid = queue.run({ user: 'alice', bytes: 1 }, () => JSON.parse('[1]'))
  const invalid = queue.run({ user: 'alice', bytes: 1 }, () => JSON.parse('['))
  const rejection = expect(invalid).rejects.toThrow(SyntaxError)
  runIteration()
  expect(await valid).toEqual([1])
  await rejection
})

test('parses a bounded number of bytes in one iteration', () => {
  for (let n = 0; n < 10; n += 1) addBody('alice', smallBodyBytes)
  const counts: number[] = []
  while (parsed.length < 10) {
    const before = parsed.length
    runIteration()
    counts.push(parsed.length - before)
  }
  expect(counts).toEqual([2, 2, 2, 2, 2])
})

test('parses one large body in one iteration', () => {
  for (let n = 0; n < 3; n += 1) addBody('alice', largeBytes)
  runIteration()
  expect(parsed).toEqual(['alice'])
})

test('parses small bodies before large ones that came earlier', () => {
  addBody('mallory', largeBytes)
  addBody('mallory', largeBytes)
  addBody('alice', 100)
  runIteration()
  expect(parsed).toEqual(['alice', 'mallory'])
})

test('alternates between users, so many bodies of one do not delay the body of another', () => {
  for (let n = 0; n < 50; n += 1) addBody('mallory', smallBodyBytes)
  addBody('alice', smallBodyBytes)
  runIteration()
  expect(parsed).toEqual(['mallory', 'alice'])
})

test('pauses large bodies for a multiple of the parse time, while small bodies continue', () => {
  addBody('mallory', largeBytes, { name: 'first', tookMs: 100 })
  addBody('mallory', largeBytes, { name: 'second' })
  runIteration()
  expect(parsed).toEqual(['first'])
  vi.advanceTimersByTime(500)
  expect(parsed).toEqual(['first'])
  addBody('alice', 100)
  vi.advanceTimersByTime(10)
  expect(parsed).toEqual(['first', 'alice'])
  vi.advanceTimersByTime(1_000)
  expect(parsed).toEqual(['first', 'alice', 'second'])
})
