// Proves that the history checks find violations: each rule is broken once.

import { expect, test } from 'vitest'
import {
  checkLog,
  checkOutcome,
  checkReading,
  checkSpend,
  type SeenEvent,
} from './history-checks.ts'

const event = (id: number, data: Record<string, unknown>): SeenEvent => ({
  id,
  data,
  text: JSON.stringify(data),
})
function logOf(...data: Record<string, unknown>[]): SeenEvent[] {
  return data.map((each, index) => event(index + 1, { run: 1, ...each }))
}
const slide = (chunk: string) => ({ type: 'chunk', chunk, stage: 'slides' })
const stage = (name: string, attempt = 1, progress = 0) => ({
  type: 'stage',
  stage: name,
  attempt,
  progress,
})
const valid = logOf(
  { type: 'queued', position: 1 },
  stage('slides'),
  slide('{"slides":['),
  slide('{"index":0}'),
  slide(']}'),
  stage('export', 1, 0.85),
  { type: 'complete', presentation: {} },
)
const without = (id: number) => valid.filter((each) => each.id !== id)
const ended = { isEnded: true }

test('finds no violation in a valid history', () => {
  expect(checkLog(valid, ended)).toEqual([])
  expect(checkReading(valid, valid)).toEqual([])
  const second = [event(8, { run: 2, type: 'queued' }), event(9, { run: 2, type: 'error' })]
  expect(checkLog([...without(7), ...second], ended)).toEqual([])
  expect(checkReading([...valid, ...second], [...without(7), ...second])).toEqual([])
  expect(checkSpend(valid, { outlines: 0, prepares: 0, slideStreams: 1, exports: 1 })).toEqual([])
  const files = [{ format: 'pptx', sha256: 'a', size_bytes: 1 }]
  expect(
    checkOutcome({ status: 'completed', files, error: null }, valid, {
      fetched: { sha256: 'a', bytes: 1 },
      exported: ['a'],
    }),
  ).toEqual([])
})

test('finds a gap, extra or missing terminal events, broken slides, wrong attempts and falling progress', () => {
  expect(checkLog(without(4), ended)).toContain('number 5 where 4 was expected')
  expect(checkLog([...valid, event(8, { run: 1, type: 'error' })], ended)).toContain(
    'run 1 has 2 terminal events',
  )
  expect(checkLog(valid.slice(0, -1), ended)).toContain('run 1 has 0 terminal events')
  expect(checkLog([...valid, event(8, { run: 1, type: 'status' })], ended)).toContain(
    'run 1 continues after its terminal event',
  )
  const broken = valid.map((each) => (each.id === 5 ? event(5, { run: 1, ...slide(',]}') }) : each))
  expect(checkLog(broken, ended)).toContain('run 1: the slide chunks do not join to JSON')
  expect(checkLog(logOf({ type: 'queued' }, stage('create', 2)), { isEnded: false })).toEqual([
    'run 1: start 1 of create is called attempt 2',
  ])
  const falling = logOf({ type: 'queued' }, stage('create', 1, 0.5), stage('outlines', 1, 0.2))
  expect(checkLog(falling, { isEnded: false })).toEqual(['run 1: progress falls from 0.5 to 0.2'])
})

test('finds a missing, a repeated and a changed event of a subscriber', () => {
  expect(checkReading(without(3), valid)).toEqual(['number 4 after 2'])
  expect(checkReading([...valid.slice(0, 3), ...valid.slice(2)], valid)).toEqual([
    'number 3 after 3',
  ])
  const changed = valid.map((each) =>
    each.id === 4 ? event(4, { run: 1, ...slide('{"index":1}') }) : each,
  )
  expect(checkReading(changed, valid)).toEqual(['number 4 differs from the log'])
})

test('finds paid calls without a stage event, missing and changed files, and a wrong status', () => {
  expect(checkSpend(valid, { outlines: 1, prepares: 0, slideStreams: 2, exports: 1 })).toHaveLength(
    2,
  )
  const spent = { outlines: 0, prepares: 0, slideStreams: 1 }
  expect(checkSpend(valid, { ...spent, exports: 2 })).toHaveLength(1)
  const further = [...valid, event(8, { run: 2, ...stage('export') })]
  expect(checkSpend(further, { ...spent, exports: 3 })).toEqual([])
  expect(checkSpend(further, { ...spent, exports: 4 })).toHaveLength(1)
  const files = [{ format: 'pptx', sha256: 'a', size_bytes: 1 }]
  const completed = { status: 'completed', files, error: null }
  expect(checkOutcome(completed, valid, { fetched: undefined, exported: ['a'] })).toHaveLength(1)
  expect(
    checkOutcome(completed, valid, { fetched: { sha256: 'b', bytes: 1 }, exported: ['a'] }),
  ).toHaveLength(1)
  expect(
    checkOutcome(completed, valid, { fetched: { sha256: 'a', bytes: 1 }, exported: ['b'] }),
  ).toHaveLength(1)
  expect(
    checkOutcome({ ...completed, status: 'running' }, valid, { fetched: undefined, exported: [] }),
  ).toEqual(['still running'])
  expect(
    checkOutcome({ ...completed, status: 'failed' }, valid, { fetched: undefined, exported: [] }),
  ).toHaveLength(2)
})
