// One followed run: how often it sends, slow followers, and terminal states.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { jobRow } from '../../sandbox/test-connections.ts'
import { createJob, type Follower, type JobUpdate } from './job.ts'
import type { JobRow } from './statements.ts'

const startMs = Date.UTC(2026, 10, 27)

function createFollower(isReady = () => true) {
  const updates: (JobUpdate & { ms: number })[] = []
  const deleted: string[] = []
  const follower: Follower = {
    isReady,
    onUpdate: (update) => updates.push({ ...update, ms: Date.now() }),
    onDeleted: (id) => deleted.push(id),
  }
  return { follower, updates, deleted, states: () => updates.map(({ row }) => row.slidesDone) }
}

describe('a job', () => {
  beforeEach(() => void vi.useFakeTimers({ now: startMs }))
  afterEach(() => void vi.useRealTimers())

  function openJob() {
    const job = createJob(jobRow.id, Date.now)
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
    expect(states().at(-1)).toBe(60)
    expect(states()).toEqual(states().toSorted((a, b) => a - b))
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

  it('shows the end of a run that another one followed before it was read', () => {
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

  it('tells all followers of a deletion', () => {
    const { job, add } = openJob()
    const [one, other] = [add(), add()]
    job.take(undefined, [])
    expect([one.deleted, other.deleted]).toEqual([[jobRow.id], [jobRow.id]])
    expect(job.followers()).toBe(0)
  })
})
