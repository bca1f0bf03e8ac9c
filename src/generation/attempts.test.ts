import { describe, expect, it } from 'vitest'
import type { ProblemCode } from '../contract/problem.ts'
import { type Stage, stages } from '../contract/stages.ts'
import { type FailureKind, Problem } from '../domain/problem.ts'
import { maxAttempts } from '../domain/stage.ts'
import { decide } from './attempts.ts'

const failed = (code: ProblemCode, failure?: FailureKind, retryAfterSeconds?: number) =>
  new Problem(code, {
    ...(failure && { failure }),
    ...(retryAfterSeconds && { retryAfterSeconds }),
  })
const decision = (stage: Stage, error: unknown, before = 0) =>
  decide({ stage, error, failures: { [stage]: before }, waits: 0, random: () => 0.5 })

describe('the decision after a failure', () => {
  it('waits during an outage, any number of times, without using an attempt', () => {
    for (const waits of [0, 1, 5, 1000]) {
      const result = decide({
        stage: 'slides',
        error: failed('UPSTREAM_UNAVAILABLE', 'outage'),
        failures: { slides: 1 },
        waits,
      })
      expect(result.next).toBe('wait')
      if (result.next !== 'wait') return
      expect(result.waitMs).toBeGreaterThanOrEqual(1_000)
      expect(result.waitMs).toBeLessThanOrEqual(12_500)
    }
  })

  it('waits for an operator when credentials are refused, without using an attempt', () => {
    const error = failed('UPSTREAM_UNAVAILABLE', 'credentials', 120)
    const result = decide({ stage: 'create', error, failures: { create: 2 }, waits: 50 })
    expect(result).toMatchObject({ next: 'wait', waitMs: 30_000 })
  })

  it('waits tens of seconds for a limit of the model, growing, for ten minutes in all', () => {
    const waits: number[] = []
    for (let limitWaitedMs = 0; ; ) {
      const error = failed('UPSTREAM_ERROR', 'limit')
      const result = decide({ stage: 'prepare', error, failures: {}, waits: 0, limitWaitedMs })
      if (result.next !== 'start-again') {
        expect(result).toMatchObject({ next: 'repeat', burns: 'prepare' })
        break
      }
      waits.push(result.waitMs)
      limitWaitedMs += result.waitMs
    }
    expect(waits[0]).toBeGreaterThanOrEqual(15_000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(75_000)
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBe(600_000)
    expect(waits.length).toBeLessThan(15)
  })

  it.each([
    [20, 0, 20_000, 25_000],
    [1, 0, 1_000, 1_250],
    // It promised 1 s and did not keep it.
    [1, 40_000, 40_000, 50_000],
    [300, 0, 300_000, 375_000],
    [300, 500_000, 100_000, 100_000],
  ])(
    'waits for a limit at least %i s, as the provider says, after %i ms',
    (told, waited, min, max) => {
      const error = failed('UPSTREAM_ERROR', 'limit', told)
      const given = {
        stage: 'slides',
        error,
        failures: {},
        waits: 0,
        limitWaitedMs: waited,
      } as const
      const result = decide(given)
      expect(result.next).toBe('start-again')
      const { waitMs } = result as { waitMs: number }
      expect(waitMs).toBeGreaterThanOrEqual(min)
      expect(waitMs).toBeLessThanOrEqual(max)
    },
  )

  it('ends the run when a limit has used up its minutes and then its attempts', () => {
    const error = failed('UPSTREAM_ERROR', 'limit')
    const given = { stage: 'outlines', error, waits: 0, limitWaitedMs: 600_000 } as const
    expect(decide({ ...given, failures: {} })).toMatchObject({ next: 'repeat' })
    expect(decide({ ...given, failures: { outlines: 1 } })).toMatchObject({
      next: 'end',
      problem: { code: 'UPSTREAM_ERROR' },
    })
  })

  it('retries as soon as an open circuit allows, after 30 s at most', () => {
    const waitMs = (seconds: number, waits = 9) => {
      const error = failed('UPSTREAM_UNAVAILABLE', 'outage', seconds)
      const result = decide({ stage: 'slides', error, failures: {}, waits })
      return result.next === 'wait' ? result.waitMs : undefined
    }
    for (const waits of [0, 9]) {
      expect(waitMs(10, waits)).toBeGreaterThanOrEqual(10_000)
      expect(waitMs(10, waits)).toBeLessThan(12_000)
    }
    expect(waitMs(600)).toBe(30_000)
  })

  it.each(stages)('retries %s until its last attempt, then ends the run', (stage) => {
    for (let before = 0; before < maxAttempts[stage] - 1; before += 1) {
      expect(decision(stage, failed('UPSTREAM_ERROR', 'fault'), before)).toMatchObject({
        next: 'repeat',
        burns: stage,
      })
    }
    expect(
      decision(stage, failed('UPSTREAM_ERROR', 'fault'), maxAttempts[stage] - 1),
    ).toMatchObject({
      next: 'end',
      problem: { code: 'UPSTREAM_ERROR' },
    })
  })

  it('ends the run at once after a final failure', () => {
    expect(decision('create', failed('UPSTREAM_REJECTED', 'final'))).toMatchObject({
      next: 'end',
      problem: { code: 'UPSTREAM_REJECTED' },
    })
  })

  it('ends with UPSTREAM_TIMEOUT when the last attempt timed out', () => {
    expect(decision('outlines', failed('UPSTREAM_TIMEOUT', 'fault'), 1)).toMatchObject({
      problem: { code: 'UPSTREAM_TIMEOUT' },
    })
  })

  it('ends with UPSTREAM_ERROR after a fault with another code', () => {
    expect(decision('outlines', failed('UPSTREAM_UNAVAILABLE', 'fault'), 1)).toMatchObject({
      problem: { code: 'UPSTREAM_ERROR' },
    })
  })

  it('waits the time that upstream asks for, but at most ten minutes', () => {
    expect(decision('prepare', failed('UPSTREAM_ERROR', 'fault', 7))).toMatchObject({
      waitMs: 7_000,
    })
    expect(decision('prepare', failed('UPSTREAM_ERROR', 'fault', 86_400))).toMatchObject({
      waitMs: 600_000,
    })
  })

  it('restarts at create when the deck is gone, and uses an attempt', () => {
    expect(decision('slides', failed('UPSTREAM_ERROR', 'gone'))).toMatchObject({
      next: 'restart',
      burns: 'slides',
    })
    expect(decision('slides', failed('UPSTREAM_ERROR', 'gone'), 1)).toMatchObject({ next: 'end' })
  })

  it('exports again when the file is invalid, and uses an attempt of export', () => {
    const result = decide({
      stage: 'store',
      error: failed('UPSTREAM_ERROR', 'bad-file'),
      failures: { store: 9, export: 3 },
      waits: 0,
    })
    expect(result).toMatchObject({ next: 're-export', burns: 'export' })
  })

  it('retries after an unknown error within the same limits, and hides its message', () => {
    expect(decision('export', new Error('password=hunter2'))).toMatchObject({
      next: 'repeat',
      problem: { code: 'INTERNAL_ERROR' },
    })
    const last = decision('export', new Error('password=hunter2'), 4)
    expect(last.problem.detail).not.toContain('hunter2')
  })
})
