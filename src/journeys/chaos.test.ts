// A short chaos test with a fixed seed. `npm run chaos` runs it longer and with other seeds.

import { expect, test } from 'vitest'
import { runChaos } from './chaos/chaos.ts'

test('keeps every promise while replicas, database, store and Presenton fail at random', async () => {
  const { violations, lines, counts } = await runChaos({ seed: 20, durationMs: 7_000, users: 3 })
  expect(violations, violations.length > 0 ? lines.join('\n') : '').toEqual([])
  expect(counts['ended completed']).toBeGreaterThan(5)
  expect(counts['reconnects']).toBeGreaterThan(10)
  expect(counts['WebSocket reconnects']).toBeGreaterThan(5)
  expect(counts['WebSocket followers at the true end']).toBeGreaterThan(10)
  expect(counts['notification stream reconnects']).toBeGreaterThan(3)
  expect(counts['notifications']).toBeGreaterThan(5)
  expect(counts['announcements']).toBeGreaterThan(2)
  expect((counts['slide changes'] ?? 0) + (counts['edits'] ?? 0)).toBeGreaterThan(1)
}, 240_000)
