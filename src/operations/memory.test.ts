import { totalmem } from 'node:os'
import { afterEach, expect, it, vi } from 'vitest'
import { describeMemory, readMemory } from './memory.ts'

afterEach(() => vi.restoreAllMocks())

it.each([
  ['a control group with a limit', 2 ** 28, 2 ** 28],
  ['a control group without one', 2 ** 63, totalmem()],
  ['no control group', 0, totalmem()],
])('measures the resident set against %s', (_name, group, limit) => {
  vi.spyOn(process, 'constrainedMemory').mockReturnValue(group)
  const memory = readMemory()
  expect(memory.limit).toBe(limit)
  expect(memory.used).toBeGreaterThan(2 ** 20)
  expect(memory.used).toBeLessThan(2 ** 40)
})

it.each([
  [90, 'ok'],
  [91, 'degraded'],
])('%i %% of the limit is %s', (used, status) => {
  expect(describeMemory({ used, limit: 100 })).toEqual({ status, used, limit: 100 })
})
