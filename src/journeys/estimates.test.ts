// The estimated completion: null until five runs are known, then from their medians.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ env: { MAX_RUNNING: '1' } })
})
afterAll(() => world.close())

test('is known after five completed runs, for queued and running presentations', async () => {
  const user = await world.createUser()
  for (let n = 0; n < 5; n += 1) {
    const accepted = await user.submit()
    expect(accepted.estimated_completion).toBeNull()
    expect(await user.waitUntilSettled(accepted.id)).toMatchObject({
      status: 'completed',
      estimated_completion: null,
    })
  }
  const durations = await world.query<{ slides: number; stage_ms: Record<string, number> }>(
    'select slides, stage_ms from gateway.run_durations',
  )
  expect(durations).toHaveLength(5)
  for (const { slides, stage_ms } of durations) {
    expect(slides).toBe(3)
    expect(Object.keys(stage_ms).sort()).toEqual(
      ['create', 'outlines', 'prepare', 'slides', 'export', 'store'].sort(),
    )
    for (const ms of Object.values(stage_ms)) expect(ms).toBeGreaterThanOrEqual(0)
  }
  world.presenton.gates.hold('slides:slide')
  const first = await user.submit()
  expect(Date.parse(String(first.estimated_completion))).toBeGreaterThan(Date.now())
  await world.presenton.gates.arrived('slides:slide')
  const queued = await user.submit()
  const running = await user.read(first.id)
  const times = [running, queued].map(({ estimated_completion: time }) => Date.parse(String(time)))
  for (const time of times) expect(time).toBeGreaterThan(Date.now())
  const listed = await user.api('/presentations?limit=1')
  expect(listed.body.items[0].estimated_completion).toEqual(expect.any(String))
  world.presenton.gates.releaseAll()
  await user.waitUntilSettled(queued.id)
  // A further export is no deck run.
  await user.api(`/presentations/${first.id}/exports`, { method: 'POST', body: { format: 'pdf' } })
  await user.waitUntilSettled(first.id)
  expect(await world.query('select 1 from gateway.run_durations')).toHaveLength(7)
})
