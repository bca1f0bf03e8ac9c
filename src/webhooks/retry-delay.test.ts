import fc from 'fast-check'
import { expect, it } from 'vitest'
import { retryMsAfter } from './retry-delay.ts'

const retryMs = [5_000, 300_000, 86_400_000]

it.each([
  [0, [4_000, 240_000, 69_120_000]],
  [0.5, retryMs],
  [1 - 2 ** -53, [6_000, 360_000, 103_680_000]],
])('spreads each delay from 80 to 120 %% (drawn: %d)', (drawn, expected) => {
  const delays = retryMs.map((_, failures) =>
    retryMsAfter({ failures }, { retryMs, random: () => drawn }),
  )
  expect(delays).toEqual(expected)
})

it('stays within that range, and covers all of it', () => {
  const delay = fc.integer({ min: 100, max: 86_400_000 })
  const drawn = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(delay, drawn, (delayMs, random) => {
      const ms = retryMsAfter({ failures: 0 }, { retryMs: [delayMs], random: () => random })
      // Rounded to whole milliseconds.
      expect(Math.abs((ms ?? Number.NaN) - delayMs)).toBeLessThanOrEqual(delayMs * 0.2 + 0.5)
    }),
    { numRuns: 2_000 },
  )
  const draws = Array.from({ length: 5_000 }, () => retryMsAfter({ failures: 0 }, { retryMs }) ?? 0)
  expect(Math.min(...draws)).toBeGreaterThanOrEqual(4_000)
  expect(Math.min(...draws)).toBeLessThan(4_200)
  expect(Math.max(...draws)).toBeLessThanOrEqual(6_000)
  expect(Math.max(...draws)).toBeGreaterThan(5_800)
})

it('takes the time that the receiver names, without spreading it', () => {
  const rules = { retryMs, random: () => 0 }
  expect(retryMsAfter({ failures: 1, retryAfterMs: 1_000 }, rules)).toBe(1_000)
  expect(retryMsAfter({ failures: 1, retryAfterMs: undefined }, rules)).toBe(240_000)
})

it('ends with the last delay, also when the receiver names a time', () => {
  expect(retryMsAfter({ failures: 3 }, { retryMs })).toBeUndefined()
  expect(retryMsAfter({ failures: 3, retryAfterMs: 1_000 }, { retryMs })).toBeUndefined()
})
