// The runs that a process follows, by the clock that they are given in production.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createChannels } from '../../database/channels.ts'
import { jobRow } from '../../sandbox/test-connections.ts'
import { createJobs, type Jobs } from './jobs.ts'

const startMs = Date.UTC(2026, 10, 27)

let jobs: Jobs
beforeEach(() => void vi.useFakeTimers({ now: startMs }))
afterEach(() => {
  jobs.close()
  vi.useRealTimers()
})

test('sends on when the clock of the machine is set back', async () => {
  const row = { ...jobRow, slidesDone: 0 }
  const channels = createChannels(undefined)
  jobs = createJobs({
    channels,
    // The poll asks what has changed: nothing, since hints are not lost here.
    database: { query: async (sql) => (sql.includes('asked.known') ? [] : [{ ...row }]) as never },
    onTrouble: (error) => {
      throw error
    },
  })
  const seen: number[] = []
  jobs.followOwn(row.id, {
    isReady: () => true,
    isSubscribed: () => true,
    onUpdate: (update) => seen.push(update.row.slidesDone),
    onDeleted: () => undefined,
  })
  async function change(slidesDone: number) {
    Object.assign(row, { slidesDone, lastSeq: row.lastSeq + 1 })
    channels.publish('status', { id: row.id })
    await vi.advanceTimersByTimeAsync(0)
  }
  await vi.advanceTimersByTimeAsync(0)
  for (let n = 1; n <= 5; n += 1) await change(n)
  expect(seen).toEqual([0, 1, 2, 3, 4, 5])
  vi.setSystemTime(startMs - 3_600_000)
  await change(6)
  expect(seen.at(-1)).toBe(5)
  await vi.advanceTimersByTimeAsync(1_100)
  expect(seen.at(-1)).toBe(6)
})
