// A run that releases its slot: who wants it, when the run is claimed again, and its clock.

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { endOverdueRuns } from '../generation/statements/overdue.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createEndRun } from './end-run.ts'
import { claim, hasClaimable, type Run } from './leases.ts'
import { encodeRunWrite } from './run-write.ts'
import { isSlotWanted } from './slots.ts'

const slots = { maxRunning: 1, maxRunningPerUser: 1, leaseMs: 60_000 }

let rows: TestRows
beforeAll(async () => {
  rows = await openTestRows()
})
afterEach(() =>
  rows.database.query(
    'truncate gateway.presentations, gateway.leases, gateway.events, gateway.files cascade',
  ),
)
afterAll(() => rows.close())

const claimNext = (limits = slots) => claim(rows.database, limits)
const isWanted = (run: Run | undefined, limits = slots) =>
  isSlotWanted(rows.database, { ...limits, id: run?.id ?? '' })

async function giveUp(run: Run | undefined, requeueMs: number): Promise<void> {
  const { id = '', run: number = 1, lastSeq: seq = 1, token } = run ?? {}
  const { text, values } = encodeRunWrite(
    { id, run: number, seq, token, leaseMs: undefined },
    { events: [], changes: { status: 'queued' }, release: true, stopClock: false, requeueMs },
  )
  expect(await rows.database.query(text, values)).toHaveLength(1)
}

const ago = (id: string | undefined, column: string, interval: string) =>
  rows.database.query(
    `update gateway.presentations set ${column} = now() - interval '${interval}' where id = $1`,
    [id],
  )

it('wants a slot only for a run that could be claimed without its holder', async () => {
  await rows.insert({ userId: 'a' })
  const holder = await claimNext()
  expect(await isWanted(holder)).toBe(false)
  await rows.insert({ userId: 'b' })
  expect(await isWanted(holder)).toBe(true)
  // There is a slot for it anyway.
  expect(await isWanted(holder, { ...slots, maxRunning: 2 })).toBe(false)
})

it('wants no slot for a user whose own limit is reached by another run', async () => {
  await rows.insert({ userId: 'a' })
  await rows.insert({ userId: 'b' })
  const two = { ...slots, maxRunning: 2 }
  const first = await claimNext(two)
  const second = await claimNext(two)
  await rows.insert({ userId: second?.userId ?? '' })
  expect(await isWanted(first, two)).toBe(false)
  expect(await isWanted(second, two)).toBe(true)
})

it('claims others first, and the run itself only after its time, without a takeover', async () => {
  await rows.insert({ userId: 'a' })
  const first = await claimNext()
  const other = await rows.insert({ userId: 'b' })
  await giveUp(first, 60_000)
  const second = await claimNext()
  expect(second?.id).toBe(other)
  // Neither while the slot is taken, nor before its time.
  expect(await isWanted(second)).toBe(false)
  await giveUp(second, 60_000)
  expect(await hasClaimable(rows.database)).toBe(false)
  expect(await claimNext()).toBeUndefined()
  await ago(first?.id, 'resume_after', '1 second')
  expect(await claimNext()).toMatchObject({ id: first?.id, takeovers: 0 })
})

it('never claims more than the limit, however many runs release their slots at once', async () => {
  for (const userId of ['a', 'b', 'c', 'd', 'e', 'f']) await rows.insert({ userId })
  const three = { ...slots, maxRunning: 3 }
  const claimed = [await claimNext(three), await claimNext(three), await claimNext(three)]
  await Promise.all(claimed.map((run) => giveUp(run, 0)))
  const again = await Promise.all(Array.from({ length: 6 }, () => claimNext(three)))
  expect(again.filter(Boolean)).toHaveLength(3)
})

it('counts the time in the queue as time of the run', async () => {
  await rows.insert({ userId: 'a' })
  const run = await claimNext()
  await ago(run?.id, 'run_started_at', '100 seconds')
  await giveUp(run, 0)
  await ago(run?.id, 'queued_at', '50 seconds')
  const again = await claimNext()
  expect(again?.usedMs).toBeGreaterThanOrEqual(150_000)
  expect(again?.usedMs).toBeLessThan(180_000)
})

it('ends a run whose time is over in the queue, but no run that was never claimed', async () => {
  await rows.insert({ userId: 'a' })
  const run = await claimNext()
  await giveUp(run, 3_600_000)
  const fresh = await rows.insert({ userId: 'b' })
  const limits = { endRun: createEndRun(), runTimeoutMs: 60_000 }
  expect(await endOverdueRuns(rows.database, limits)).toEqual(new Map())
  for (const id of [run?.id, fresh]) await ago(id, 'queued_at', '61 seconds')
  expect([...(await endOverdueRuns(rows.database, limits)).keys()]).toEqual([run?.id])
  expect(
    await rows.database.query('select status, error from gateway.presentations where id = $1', [
      run?.id,
    ]),
  ).toMatchObject([{ status: 'failed', error: { code: 'RUN_TIMEOUT' } }])
})
