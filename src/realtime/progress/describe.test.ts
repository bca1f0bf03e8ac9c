// States in sentences, and the states that follow from events of the log.

import { describe, expect, test } from 'vitest'
import { rowAfter, rowAtEnd, toProgress } from './describe.ts'
import type { JobRow } from './statements.ts'

const error = { code: 'UPSTREAM_ERROR', detail: 'It broke.', retryable: true } as const
const row: JobRow = {
  ...{ id: 'a', userId: 'u', status: 'running', stage: 'slides', run: 1, runKind: 'deck' },
  ...{ progress: 0.5, error: null, lastSeq: 9, nSlides: 5, slidesDone: 2 },
  ...{ queuePosition: null, estimate: null },
}
const known = (changes: Partial<JobRow> = {}): JobRow => ({ ...row, ...changes })

test.each<[Partial<JobRow>, string, string]>([
  [{ status: 'queued', queuePosition: 3 }, 'Waiting in the queue', 'Place 3 in the queue'],
  [{ status: 'queued' }, 'Waiting in the queue', 'Waiting'],
  [{ stage: null }, 'Starting', 'The run starts'],
  [{}, 'Generating slides', 'Slide 2 of 5'],
  [{ stage: 'export' }, 'Exporting the file', 'Exporting the file'],
  [
    { status: 'awaiting_outlines' },
    'Waiting for approval',
    'The outlines are ready for your approval',
  ],
  [{ status: 'completed' }, 'Ready', '2 slides'],
  [{ status: 'completed', slidesDone: 1 }, 'Ready', '1 slide'],
  [{ status: 'completed', error }, 'Ready', 'It broke.'],
  [{ status: 'failed', error }, 'Failed', 'It broke.'],
  [{ status: 'failed' }, 'Failed', 'The run failed.'],
  [{ status: 'cancelled' }, 'Cancelled', 'The run was cancelled.'],
])('%j is "%s": "%s"', (changes, step, message) => {
  expect(toProgress(known(changes))).toMatchObject({ current_step: step, message })
})

describe('the end of a run', () => {
  const end = (before: JobRow, run: number, event: Record<string, unknown>) =>
    rowAtEnd(before, { id: 'a', run, event: event as { type: string } })

  test('that completes', () => {
    expect(end(row, 1, { type: 'complete' })).toMatchObject({ status: 'completed', progress: 1 })
  })

  test('that fails keeps its stage, or has that of the event', () => {
    const failed = { status: 'failed', error }
    expect(end(row, 1, { type: 'error', ...error })).toMatchObject({ ...failed, stage: 'slides' })
    const { stage } = end(row, 1, { type: 'error', ...error, stage: 'export' })
    expect(stage).toBe('export')
    expect(end(row, 2, { type: 'error', ...error })).toMatchObject({ ...failed, stage: null })
  })

  test('that is cancelled', () => {
    const cancelled = { type: 'error', code: 'CANCELLED', detail: 'Cancelled.' }
    expect(end(row, 1, cancelled)).toMatchObject({
      status: 'cancelled',
      error: { retryable: false },
    })
  })

  test('of an export or edit leaves the deck completed', () => {
    const before = known({ status: 'completed' })
    const cancelled = { type: 'error', code: 'CANCELLED' }
    expect(end(before, 2, cancelled)).toMatchObject({
      ...{ runKind: 'export', status: 'completed', error: null },
    })
    expect(end(before, 2, { type: 'error', ...error })).toMatchObject({
      status: 'completed',
      error,
    })
    expect(end(known({ runKind: 'edit' }), 1, cancelled)).toMatchObject({
      ...{ runKind: 'edit', status: 'completed', error: { code: 'CANCELLED' } },
    })
  })

  test('without members is an unexpected error', () => {
    expect(end(row, 1, { type: 'error' }).error).toEqual({
      ...{ code: 'INTERNAL_ERROR', detail: '', retryable: false },
    })
  })
})

describe('the state after', () => {
  const after = (before: JobRow, run: number, event: Record<string, unknown>) =>
    rowAfter(before, { id: 'a', run, event: event as { type: string } })

  test.each<[string, Partial<JobRow>, number, Record<string, unknown>, Partial<JobRow>]>([
    ['a retry', { status: 'failed' }, 2, { type: 'queued' }, { status: 'queued', progress: 0 }],
    [
      'a further export',
      { status: 'completed' },
      2,
      { type: 'queued' },
      { status: 'completed', runKind: 'export' },
    ],
    ['a stage', {}, 1, { type: 'stage', stage: 'export' }, { stage: 'export', status: 'running' }],
    ['a stage without a name', {}, 1, { type: 'stage' }, { stage: null }],
    ['outlines to approve', {}, 1, { type: 'awaiting_outlines' }, { status: 'awaiting_outlines' }],
    [
      'an approval',
      { status: 'awaiting_outlines' },
      1,
      { type: 'outlines' },
      { status: 'queued', stage: 'prepare' },
    ],
    ['outlines of the run', {}, 1, { type: 'outlines' }, { status: 'running', stage: 'slides' }],
    ['an end', {}, 1, { type: 'complete' }, { status: 'completed' }],
  ])('%s', (_what, before, run, event, expected) => {
    expect(after(known(before), run, event)).toMatchObject(expected)
  })
})
