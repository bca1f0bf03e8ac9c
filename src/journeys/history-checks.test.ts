// A checker that finds nothing is worth nothing: each rule is broken once here.

import { expect, test } from 'vitest'
import { checkLog, checkOutcome, checkReading, checkSpend, type Seen } from './history-checks.ts'

const event = (id: number, data: Record<string, unknown>): Seen => ({
  id,
  data,
  text: JSON.stringify(data),
})
function logOf(...data: Record<string, unknown>[]): Seen[] {
  return data.map((one, index) => event(index + 1, { run: 1, ...one }))
}
const slide = (chunk: string) => ({ type: 'chunk', chunk, stage: 'slides' })
const stage = (name: string, attempt = 1, progress = 0) => ({
  type: 'stage',
  stage: name,
  attempt,
  progress,
})
const good = logOf(
  { type: 'queued', position: 1 },
  stage('slides'),
  slide('{"slides":['),
  slide('{"index":0}'),
  slide(']}'),
  stage('export', 1, 0.85),
  { type: 'complete', presentation: {} },
)
const without = (id: number) => good.filter((one) => one.id !== id)
const ended = { isEnded: true }

test('a good history has nothing wrong with it', () => {
  expect(checkLog(good, ended)).toEqual([])
  expect(checkReading(good, good)).toEqual([])
  const second = [event(8, { run: 2, type: 'queued' }), event(9, { run: 2, type: 'error' })]
  expect(checkLog([...without(7), ...second], ended)).toEqual([])
  expect(checkReading([...good, ...second], [...without(7), ...second])).toEqual([])
  expect(checkSpend(good, { outlines: 0, prepares: 0, slideStreams: 1, exports: 1 })).toEqual([])
  const files = [{ format: 'pptx', sha256: 'a', size_bytes: 1 }]
  expect(
    checkOutcome({ status: 'completed', files, error: null }, good, {
      fetched: { sha256: 'a', bytes: 1 },
      exported: ['a'],
    }),
  ).toEqual([])
})

test('a log with a gap, a doubled or missing end, broken slides, a stage that counts wrong, or a fall is found', () => {
  expect(checkLog(without(4), ended)).toContain('number 5 where 4 was expected')
  expect(checkLog([...good, event(8, { run: 1, type: 'error' })], ended)).toContain(
    'run 1 has 2 terminal events',
  )
  expect(checkLog(good.slice(0, -1), ended)).toContain('run 1 has 0 terminal events')
  expect(checkLog([...good, event(8, { run: 1, type: 'status' })], ended)).toContain(
    'run 1 goes on after its terminal event',
  )
  const broken = good.map((one) => (one.id === 5 ? event(5, { run: 1, ...slide(',]}') }) : one))
  expect(checkLog(broken, ended)).toContain('run 1: the chunks of the slides do not join to JSON')
  expect(checkLog(logOf({ type: 'queued' }, stage('create', 2)), { isEnded: false })).toEqual([
    'run 1: attempt 2 of create is start 1',
  ])
  const falling = logOf({ type: 'queued' }, stage('create', 1, 0.5), stage('outlines', 1, 0.2))
  expect(checkLog(falling, { isEnded: false })).toEqual(['run 1: progress falls from 0.5 to 0.2'])
})

test('a reader who misses an event, gets one twice, or another one is found', () => {
  expect(checkReading(without(3), good)).toEqual(['number 4 after 2'])
  expect(checkReading([...good.slice(0, 3), ...good.slice(2)], good)).toEqual(['number 3 after 3'])
  const other = good.map((one) =>
    one.id === 4 ? event(4, { run: 1, ...slide('{"index":1}') }) : one,
  )
  expect(checkReading(other, good)).toEqual(['number 4 is not what the log says'])
})

test('work that was paid for without being begun, and a file that is not there or another one, are found', () => {
  expect(checkSpend(good, { outlines: 1, prepares: 0, slideStreams: 2, exports: 1 })).toHaveLength(
    2,
  )
  const files = [{ format: 'pptx', sha256: 'a', size_bytes: 1 }]
  const completed = { status: 'completed', files, error: null }
  expect(checkOutcome(completed, good, { fetched: undefined, exported: ['a'] })).toHaveLength(1)
  expect(
    checkOutcome(completed, good, { fetched: { sha256: 'b', bytes: 1 }, exported: ['a'] }),
  ).toHaveLength(1)
  expect(
    checkOutcome(completed, good, { fetched: { sha256: 'a', bytes: 1 }, exported: ['b'] }),
  ).toHaveLength(1)
  expect(
    checkOutcome({ ...completed, status: 'running' }, good, { fetched: undefined, exported: [] }),
  ).toEqual(['still running'])
  expect(
    checkOutcome({ ...completed, status: 'failed' }, good, { fetched: undefined, exported: [] }),
  ).toHaveLength(2)
})
