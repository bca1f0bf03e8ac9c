import { afterAll, beforeAll, expect, it } from 'vitest'
import { openTestRows, type TestRows } from '../../sandbox/rows.ts'
import { createRunCounts } from './run-counts.ts'

let rows: TestRows
beforeAll(async () => {
  rows = await openTestRows()
})
afterAll(() => rows.close())

it('counts active runs at each call, and finished ones again after a time that grows with their number', async () => {
  let nowMs = 0
  const countRuns = createRunCounts({ database: rows.database, now: () => nowMs })
  expect(await countRuns()).toEqual({})
  const ids: string[] = []
  for (let n = 0; n < 10; n += 1) ids.push(await rows.insert())
  const setStatus = (changed: string[], status: string) =>
    rows.database.query('update gateway.presentations set status = $2 where id = any($1::uuid[])', [
      changed,
      status,
    ])
  await setStatus(ids.slice(0, 4), 'completed')
  await setStatus(ids.slice(4, 6), 'cancelled')
  await setStatus(ids.slice(6, 7), 'awaiting_outlines')
  expect(await countRuns()).toEqual({ completed: 4, cancelled: 2, awaiting_outlines: 1, queued: 3 })
  await setStatus(ids.slice(6, 9), 'failed')
  nowMs = 0.5
  expect(await countRuns()).toEqual({ completed: 4, cancelled: 2, queued: 1 })
  nowMs = 0.7
  expect(await countRuns()).toEqual({ completed: 4, cancelled: 2, failed: 3, queued: 1 })
})
