import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createChannels } from '../database/channels.ts'
import { createSessionWatch } from './session-watch.ts'

beforeEach(() =>
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }),
)
afterEach(() => vi.useRealTimers())

const hour = 3_600_000

/** A table of one session, which ends after `leftMs`. */
function openWatch(leftMs: number) {
  const channels = createChannels(undefined)
  let endsAtMs = performance.now() + leftMs
  let isAway = false
  let looks = 0
  const database = {
    async query<Row>() {
      looks += 1
      if (isAway) throw new Error('the database is away')
      const left = endsAtMs - performance.now()
      return (left > 0 ? [{ hash: 'h', leftMs: left }] : []) as Row[]
    },
  }
  const watch = createSessionWatch({ database, channels })
  const session = { hash: 'h', userId: 'u', userName: null, createdAt: new Date() }
  const expiresAt = new Date(Date.now() + leftMs)
  return {
    ...{ channels, open: () => watch({ ...session, expiresAt }) },
    looks: () => looks,
    /** Also to now: the session is deleted. */
    moveEnd: (ms: number) => {
      endsAtMs = performance.now() + ms
    },
    setAway: (away: boolean) => {
      isAway = away
    },
  }
}

test('ends all readers of a session at its time', async () => {
  const { open } = openWatch(hour)
  const [one, other] = [open(), open()]
  await vi.advanceTimersByTimeAsync(hour - 1_000)
  expect([one.ended.aborted, other.ended.aborted]).toEqual([false, false])
  await vi.advanceTimersByTimeAsync(1_100)
  expect([one.ended.aborted, other.ended.aborted]).toEqual([true, true])
})

test('a renewal keeps them open, also one that was made elsewhere', async () => {
  const { open, moveEnd } = openWatch(2_000)
  const { ended } = open()
  moveEnd(hour)
  await vi.advanceTimersByTimeAsync(hour - 1_000)
  expect(ended.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(1_100)
  expect(ended.aborted).toBe(true)
})

test('a deleted session ends at a hint about its user, and without one some seconds later', async () => {
  const { open, moveEnd, channels } = openWatch(hour)
  const one = open()
  moveEnd(0)
  channels.publish('maker_sessions', { id: 'other' })
  await vi.advanceTimersByTimeAsync(0)
  expect(one.ended.aborted).toBe(false)
  channels.publish('maker_sessions', { id: 'u' })
  await vi.advanceTimersByTimeAsync(0)
  expect(one.ended.aborted).toBe(true)
  one.stop()
  const other = open()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(other.ended.aborted).toBe(true)
})

test('without the database the time that was known counts', async () => {
  const { open, setAway } = openWatch(60_000)
  setAway(true)
  const { ended } = open()
  await vi.advanceTimersByTimeAsync(59_000)
  expect(ended.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(1_100)
  expect(ended.aborted).toBe(true)
})

test('looks at nothing while nothing is open', async () => {
  const { open, looks } = openWatch(hour)
  open().stop()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looks()).toBe(0)
})

test('streams that open all the time do not put off the look that makes up for a lost hint', async () => {
  const { open, moveEnd } = openWatch(hour)
  const { ended } = open()
  moveEnd(0)
  for (let seconds = 0; seconds < 6; seconds++) {
    await vi.advanceTimersByTimeAsync(1_000)
    open()
  }
  expect(ended.aborted).toBe(true)
})

test('looks no more for readers that are slow to leave an ended session', async () => {
  const { open, looks } = openWatch(1_000)
  const { ended } = open()
  await vi.advanceTimersByTimeAsync(1_100)
  expect(ended.aborted).toBe(true)
  const before = looks()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(looks()).toBe(before)
})
