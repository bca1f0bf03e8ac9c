// A short piece of the chaos with a fixed seed, for every change; `npm run chaos` is the long one.

import { expect, test } from 'vitest'
import { runChaos } from './chaos/chaos.ts'

test('whatever breaks, at any moment: nothing is lost, doubled, mixed up or left over', async () => {
  const { violations, lines, counts } = await runChaos({ seed: 20, durationMs: 7_000, users: 3 })
  expect(violations, violations.length > 0 ? lines.join('\n') : '').toEqual([])
  expect(counts['ended completed']).toBeGreaterThan(5)
  expect(counts['reconnects']).toBeGreaterThan(10)
}, 120_000)
