import { describe, expect, it } from 'vitest'
import { type EstimatedRun, estimateCompletion } from './estimate.ts'

const nowMs = Date.UTC(2026, 10, 27, 12)
const second = 1_000
const medians = {
  create: second,
  outlines: 10 * second,
  prepare: 5 * second,
  slides: 3 * second,
  export: 4 * second,
  store: 2 * second,
}
/** Of ten slides: 1 + 10 + 5 + 30 + 4 + 2 seconds. */
const wholeRun = 52
const estimate = {
  medians,
  nextStage: 'create',
  hasOutlines: false,
  since: null,
  running: 0,
} as const

function secondsLeft(run: Partial<EstimatedRun>): number | null {
  const defaults = { status: 'queued', stage: null, nSlides: 10, slidesDone: 0 } as const
  const estimated = estimateCompletion({ ...defaults, queuePosition: 1, estimate, ...run }, nowMs)
  return estimated && (estimated.getTime() - nowMs) / second
}
const running = { status: 'running', queuePosition: null } as const

describe('the estimate', () => {
  it('is null while too few runs are known, and unless a run is queued or running', () => {
    expect(secondsLeft({ estimate: { ...estimate, medians: null } })).toBeNull()
    expect(secondsLeft({ estimate: null })).toBeNull()
    for (const status of ['awaiting_outlines', 'completed', 'failed', 'cancelled'] as const)
      expect(secondsLeft({ status })).toBeNull()
  })

  it('adds the wait in the queue to the time of a whole run', () => {
    expect(secondsLeft({})).toBe(wholeRun)
    expect(secondsLeft({ queuePosition: 3 })).toBe(3 * wholeRun)
    expect(secondsLeft({ queuePosition: 1, estimate: { ...estimate, running: 4 } })).toBe(
      wholeRun + wholeRun / 4,
    )
    expect(secondsLeft({ queuePosition: 8, estimate: { ...estimate, running: 4 } })).toBe(
      3 * wholeRun,
    )
  })

  it('counts what is left of the current stage, and the stages after it', () => {
    const since = nowMs - 4 * second
    expect(secondsLeft({ ...running, stage: 'outlines', estimate: { ...estimate, since } })).toBe(
      wholeRun - 1 - 4,
    )
    expect(secondsLeft({ ...running, stage: 'slides', slidesDone: 7 })).toBe(3 * 3 + 4 + 2)
    expect(secondsLeft({ ...running, stage: 'slides', slidesDone: 12 })).toBe(4 + 2)
  })

  it('skips the outlines of a brief that has them, and finished stages', () => {
    expect(secondsLeft({ estimate: { ...estimate, hasOutlines: true } })).toBe(wholeRun - 10)
    expect(secondsLeft({ estimate: { ...estimate, nextStage: 'export' } })).toBe(4 + 2)
    expect(secondsLeft({ ...running, estimate: { ...estimate, nextStage: 'store' } })).toBe(2)
  })

  it('is never in the past, also when a stage takes longer than usual', () => {
    const since = nowMs - 3_600 * second
    expect(secondsLeft({ ...running, stage: 'store', estimate: { ...estimate, since } })).toBe(2)
  })

  it('counts a stage that no known run had as nothing', () => {
    const partly = { ...medians, outlines: null }
    expect(secondsLeft({ estimate: { ...estimate, medians: partly } })).toBe(wholeRun - 10)
  })
})
