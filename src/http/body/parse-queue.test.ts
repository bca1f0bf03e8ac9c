// In what order bodies are parsed, and how many between two turns of the loop. Time stands still
// unless it is moved.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createParseQueue, type ParseQueue, smallBodyBytes } from './parse-queue.ts'

const large = 8 * 1024 * 1024
let turns: ParseQueue
let parsed: string[]
let heldMs = 0

beforeEach(() => {
  vi.useFakeTimers()
  heldMs = 0
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + heldMs)
  turns = createParseQueue()
  parsed = []
})
afterEach(() => void vi.restoreAllMocks().useRealTimers())

/** A body that is `name` when it is parsed, and takes so long. */
function body(user: string, bytes: number, { name = user, tookMs = 0 } = {}) {
  void turns.run({ user, bytes }, () => {
    parsed.push(name)
    holdLoop(tookMs)
  })
}

/** The clock goes on, and nothing else. */
function holdLoop(ms: number) {
  heldMs += ms
}

const turnOfTheLoop = () => vi.advanceTimersToNextTimer()

test('nothing is parsed while bytes are read, and what is parsed comes back, or fails', async () => {
  const good = turns.run({ user: 'alice', bytes: 1 }, () => JSON.parse('[1]'))
  const bad = turns.run({ user: 'alice', bytes: 1 }, () => JSON.parse('['))
  const refused = expect(bad).rejects.toThrow(SyntaxError)
  turnOfTheLoop()
  expect(await good).toEqual([1])
  await refused
})

test('between two turns of the loop only so much is parsed, however much has come', () => {
  for (let n = 0; n < 10; n += 1) body('alice', smallBodyBytes)
  const counts: number[] = []
  while (parsed.length < 10) {
    const before = parsed.length
    turnOfTheLoop()
    counts.push(parsed.length - before)
  }
  expect(counts).toEqual([2, 2, 2, 2, 2])
})

test('of large ones only one', () => {
  for (let n = 0; n < 3; n += 1) body('alice', large)
  turnOfTheLoop()
  expect(parsed).toEqual(['alice'])
})

test('small ones go before large ones that came earlier', () => {
  body('mallory', large)
  body('mallory', large)
  body('alice', 100)
  turnOfTheLoop()
  expect(parsed).toEqual(['alice', 'mallory'])
})

test('users take turns: one with many does not keep one with one waiting', () => {
  for (let n = 0; n < 50; n += 1) body('mallory', smallBodyBytes)
  body('alice', smallBodyBytes)
  turnOfTheLoop()
  expect(parsed).toEqual(['mallory', 'alice'])
})

test('after a large one the loop is free of large ones for several times as long; small ones go on, and the next comes at last', () => {
  body('mallory', large, { name: 'first', tookMs: 100 })
  body('mallory', large, { name: 'second' })
  turnOfTheLoop()
  expect(parsed).toEqual(['first'])
  vi.advanceTimersByTime(500)
  expect(parsed).toEqual(['first'])
  body('alice', 100)
  vi.advanceTimersByTime(10)
  expect(parsed).toEqual(['first', 'alice'])
  vi.advanceTimersByTime(1_000)
  expect(parsed).toEqual(['first', 'alice', 'second'])
})
