// One followed run: how often it sends, slow followers, and terminal states.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { jobRow } from '../../sandbox/test-connections.ts'
import { createJob } from './job.ts'
import type { Follower } from './job-followers.ts'
import type { JobUpdate } from './job-message.ts'
import type { JobRow } from './statements.ts'

const startMs = Date.UTC(2026, 10, 27)

function createFollower(isReady = () => true) {
  const updates: (JobUpdate & { ms: number })[] = []
  const deleted: string[] = []
  const follower: Follower = {
    isReady,
    isSubscribed: () => true,
    onUpdate: (update) => updates.push({ ...update, ms: Date.now() }),
    onDeleted: (id) => deleted.push(id),
  }
  return { follower, updates, deleted, states: () => updates.map(({ row }) => row.slidesDone) }
}

describe('a job', () => {
  beforeEach(() => void vi.useFakeTimers({ now: startMs }))
  afterEach(() => void vi.useRealTimers())

  function openJob(now: () => number = () => performance.now()) {
    const job = createJob(jobRow.id, now)
    let seq = 1
    const take = (changes: Partial<JobRow>, ends: Parameters<typeof job.take>[1] = []) => {
      seq += 1
      job.take({ ...jobRow, ...changes, lastSeq: seq }, ends)
    }
    take({ slidesDone: 0 })
    const add = (isReady?: () => boolean) => {
      const one = createFollower(isReady)
      job.add(one.follower, false)
      job.start(one.follower)
      return one
    }
    return { job, take, add }
  }

  it('sends at most five messages in any second beside the first, and the newest state last', () => {
    const { take, add } = openJob()
    const { updates, states } = add()
    for (let n = 1; n <= 60; n += 1) {
      take({ slidesDone: n })
      vi.advanceTimersByTime(50)
    }
    vi.advanceTimersByTime(2_000)
    const times = updates.slice(1).map(({ ms }) => ms)
    for (const from of times)
      expect(times.filter((ms) => ms >= from && ms <= from + 1_000).length).toBeLessThanOrEqual(5)
    expect(times.length).toBeGreaterThan(10)
    // Clients may measure by the timestamps: each is the time of sending, also after a wait.
    for (const { message, ms } of updates)
      expect(ms - Date.parse(JSON.parse(String(message)).timestamp)).toBeLessThan(10)
    expect(states().at(-1)).toBe(60)
    expect(states()).toEqual(states().toSorted((a, b) => a - b))
  })

  it('sends a state even if the timer fires early by the clock', () => {
    let nowMs = 0
    const { take, add } = openJob(() => nowMs)
    const { states } = add()
    for (let n = 1; n <= 5; n += 1) take({ slidesDone: n })
    take({ slidesDone: 6, status: 'awaiting_outlines' })
    nowMs = 1_049.5
    vi.advanceTimersByTime(1_050)
    expect(states().at(-1)).toBe(5)
    nowMs = 1_050
    vi.advanceTimersByTime(1)
    expect(states().at(-1)).toBe(6)
  })

  it('estimates again for a follower that joins or catches up later', () => {
    const { job, take, add } = openJob()
    const medians = { create: 1, outlines: 1, prepare: 1, slides: 100, export: 1, store: 1 }
    const since = startMs
    const estimate = { medians, nextStage: 'slides', hasOutlines: true, since, running: 1 } as const
    take({ estimate, slidesDone: 19 })
    let isReady = false
    const slow = add(() => isReady)
    take({ estimate, slidesDone: 20 })
    vi.advanceTimersByTime(60_000)
    const late = add()
    isReady = true
    job.catchUp(slow.follower)
    for (const { updates } of [late, slow]) {
      const { data, timestamp } = JSON.parse(String(updates.at(-1)?.message))
      expect(data.slides_done).toBe(20)
      expect(Date.parse(data.estimated_completion)).toBeGreaterThan(Date.now())
      expect(Date.parse(timestamp)).toBe(Date.now())
    }
    expect(late.updates.at(-1)?.message).toBe(slow.updates.at(-1)?.message)
  })

  it('limits what a repeatedly slow follower gets, without delaying others', () => {
    const { job, take, add } = openJob()
    let isReady = false
    const slow = add(() => isReady)
    const quick = add()
    for (let n = 1; n <= 60; n += 1) {
      isReady = false
      take({ slidesDone: n })
      isReady = true
      job.catchUp(slow.follower)
      vi.advanceTimersByTime(50)
    }
    vi.advanceTimersByTime(2_000)
    for (const { updates, states } of [slow, quick]) {
      const times = updates.slice(1).map(({ ms }) => ms)
      for (const from of times)
        expect(times.filter((ms) => ms >= from && ms <= from + 1_000).length).toBeLessThanOrEqual(5)
      expect(times.length).toBeGreaterThan(10)
      // Clients may measure by the timestamps: each is the time of sending, also after a wait.
      for (const { message, ms } of updates)
        expect(ms - Date.parse(JSON.parse(String(message)).timestamp)).toBeLessThan(10)
      expect(states().at(-1)).toBe(60)
      expect(new Set(states()).size).toBe(states().length)
    }
  })

  it('repeats the present state for a follower that asks, and no change twice', () => {
    const { job, take, add } = openJob()
    const [asking, other] = [add(), add()]
    for (let n = 1; n <= 6; n += 1) take({ slidesDone: n })
    job.repeat(asking.follower)
    vi.advanceTimersByTime(5_000)
    job.repeat(asking.follower)
    expect(asking.states()).toEqual([0, 1, 2, 3, 4, 5, 6, 6])
    expect(other.states()).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('sends the terminal state at once and last, also beyond the limit', () => {
    const { take, add } = openJob()
    const { updates } = add()
    for (let n = 1; n <= 10; n += 1) take({ slidesDone: n })
    take({ status: 'completed', stage: null, progress: 1 })
    expect(updates.at(-1)?.row.status).toBe('completed')
    const sent = updates.length
    vi.advanceTimersByTime(5_000)
    expect(updates).toHaveLength(sent)
  })

  it('sends nothing for a read without a change', () => {
    const { take, add } = openJob()
    const { updates } = add()
    take({ slidesDone: 0 })
    take({ slidesDone: 0 })
    expect(updates).toHaveLength(1)
  })

  it('lets a slow follower skip states, but not the terminal one', () => {
    const { job, take, add } = openJob()
    let isReady = true
    const slow = add(() => isReady)
    const quick = add()
    isReady = false
    for (const slidesDone of [1, 2, 3]) take({ slidesDone })
    expect([slow.states(), quick.states()]).toEqual([[0], [0, 1, 2, 3]])
    isReady = true
    job.catchUp(slow.follower)
    expect(slow.states()).toEqual([0, 3])
    isReady = false
    take({ slidesDone: 4 })
    take({ status: 'failed' })
    expect(slow.updates.at(-1)?.row.status).toBe('failed')
    isReady = true
    job.catchUp(slow.follower)
    expect(slow.updates).toHaveLength(3)
  })

  it('shows the end of a run even if the next run began before it was read', () => {
    const { take, add } = openJob()
    const { updates } = add()
    const id = jobRow.id
    const failed = { type: 'error', code: 'UPSTREAM_ERROR', detail: 'It failed.', retryable: true }
    take({ run: 3, runKind: 'export', status: 'running', stage: 'export', progress: 0 }, [
      { id, run: 1, event: { ...failed, code: 'UPSTREAM_ERROR', stage: 'slides' } },
      { id, run: 2, event: { type: 'complete' } },
    ])
    expect(
      updates.map(({ row, isTerminal, isLatest }) => [row.run, row.status, isTerminal, isLatest]),
    ).toEqual([
      [1, 'running', false, true],
      [1, 'failed', true, false],
      [2, 'completed', true, false],
      [3, 'running', false, true],
    ])
    expect(updates[1]?.row).toMatchObject({ stage: 'slides', error: { code: 'UPSTREAM_ERROR' } })
    take({ run: 4, runKind: 'export', status: 'running', stage: 'export' }, [
      { id, run: 3, event: { ...failed, code: 'CANCELLED' } },
    ])
    expect(updates.at(-2)?.row).toMatchObject({ run: 3, status: 'completed', error: null })
  })

  it('tells a watcher of each change of status or stage, and of none before it was started', () => {
    const { job, take } = openJob()
    const told: string[] = []
    const watcher = {
      onState: ({ status, stage }: JobRow) => void told.push(`${status} ${stage}`),
      onDeleted: (id: string) => void told.push(id),
    }
    job.watch(watcher)
    take({ stage: 'export' })
    job.startWatching(watcher)
    for (let n = 1; n <= 20; n += 1) take({ stage: n % 2 ? 'store' : 'export', slidesDone: n })
    expect(told).toHaveLength(20)
    const id = jobRow.id
    job.take(
      { ...jobRow, run: 2, runKind: 'export', status: 'completed', stage: null },
      [],
      [
        { id, run: 1, event: { type: 'stage', stage: 'export' } },
        { id, run: 1, event: { type: 'stage', stage: 'store' } },
        { id, run: 1, event: { type: 'complete' } },
        { id, run: 2, event: { type: 'queued' } },
        { id, run: 2, event: { type: 'stage', stage: 'export' } },
      ],
    )
    expect(told.slice(20)).toEqual([
      ...['running store', 'completed null', 'running export', 'completed null'],
    ])
    job.take(undefined, [])
    expect(told.at(-1)).toBe(id)
    expect(job.isIdle()).toBe(true)
  })

  it('tells all followers of a deletion', () => {
    const { job, add } = openJob()
    const [one, other] = [add(), add()]
    job.take(undefined, [])
    expect([one.deleted, other.deleted]).toEqual([[jobRow.id], [jobRow.id]])
    expect(job.isIdle()).toBe(true)
  })
})
