// What becomes of reports that the service refuses, does not answer, or gets too many of.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openReceiver, type Receiver } from '../../sandbox/receiver.ts'
import { createEvent } from './event.ts'
import { createSentryReports } from './sentry.ts'

const names = { release: 'presenton-gateway@1', environment: 'test', hashKey: 'key' }
const context = { kind: 'process' } as const
const warn = vi.fn()

let service: Receiver
beforeEach(async () => {
  service = await openReceiver()
  warn.mockClear()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await service.close()
})

function openReports() {
  const { environment, hashKey, release } = names
  return createSentryReports({
    config: { url: `${service.url}/api/1/envelope/`, publicKey: 'public', environment, hashKey },
    release,
    logger: { warn },
  })
}

test.each([
  ['120', 119_000, 121_000],
  ['soon', 59_000, 61_000],
  ['999999', 3_599_000, 3_601_000],
])('after a 429 with Retry-After: %s nothing is sent for a while', async (after, silent, over) => {
  const { report, flush } = openReports()
  service.respondWith({ status: 429, headers: { 'retry-after': after } })
  report(new Error('first'), context)
  await flush()
  expect(warn).toHaveBeenCalledWith({ variable: 'SENTRY_DSN', status: 429 }, expect.any(String))
  service.respondWith({ status: 200 })
  const now = performance.now()
  const clock = vi.spyOn(performance, 'now')
  clock.mockReturnValue(now + silent)
  report(new Error('dropped'), context)
  await flush()
  expect(service.received).toHaveLength(1)
  clock.mockReturnValue(now + over)
  report(new Error('sent'), context)
  await flush()
  expect(service.received).toHaveLength(2)
})

test('at most 20 are under way, and one warning a minute is logged', async () => {
  const { report, flush } = openReports()
  service.respondWith((response) => response.destroy())
  for (let n = 0; n < 30; n += 1) report(new Error(`number ${n}`), context)
  await flush()
  expect(service.received).toHaveLength(20)
  expect(warn).toHaveBeenCalledTimes(1)
  expect(warn).toHaveBeenCalledWith({ variable: 'SENTRY_DSN' }, 'an error was not reported')
})

test('a service that never answers delays the end by two seconds at most', async () => {
  const { report, flush } = openReports()
  service.respondWith(() => undefined)
  report(new Error('unanswered'), context)
  const startMs = performance.now()
  await flush()
  expect(performance.now() - startMs).toBeGreaterThan(1_900)
})

test('an event has the causes, innermost first, with codes and without messages', () => {
  const inner = Object.assign(new Error('MARK'), { code: 'ECONNRESET' })
  inner.name = 'a name with MARK'
  const middle = Object.assign(new TypeError('MARK', { cause: inner }), { code: 'has MARK in it' })
  const event = createEvent(
    new RangeError('MARK', { cause: middle }),
    {
      ...{ kind: 'run', tags: { stage: 'slides', run: undefined }, userId: 'MARK' },
    },
    names,
  )
  expect(event).toMatchObject({
    level: 'error',
    tags: { kind: 'run', stage: 'slides' },
    user: { id: expect.stringMatching(/^[0-9a-f]{64}$/), ip_address: null },
    exception: {
      values: [
        { type: 'Error', value: 'ECONNRESET' },
        { type: 'TypeError', value: '' },
        { type: 'RangeError', value: '' },
      ],
    },
  })
  expect(JSON.stringify(event)).not.toContain('MARK')
})

test('frames have no folders of the machine, and not the lines of a message', () => {
  const error = new Error('first\n    at planted (/srv/app/src/planted.ts:1:1)')
  error.stack = `Error: ${error.message}
    at work (/srv/app/src/generation/run.ts:10:5)
    at async Object.query (file:///srv/app/node_modules/pg/lib/client.js:20:7)
    at /elsewhere/script.js:3:2
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at <anonymous>`
  const [value] = createEvent(error, context, names).exception.values as {
    stacktrace: { frames: object[] }
  }[]
  expect(value?.stacktrace.frames).toMatchObject([
    { filename: 'node:internal/process/task_queues', in_app: false },
    { filename: 'app:///script.js', function: '?', in_app: true },
    { filename: 'app:///node_modules/pg/lib/client.js', function: 'Object.query', in_app: false },
    { filename: 'app:///src/generation/run.ts', function: 'work', lineno: 10, colno: 5 },
  ])
})

test('an error without a stack, and one with a hundred causes', () => {
  const bare = new Error('no stack')
  delete (bare as { stack?: string }).stack
  expect(createEvent(bare, context, names).exception.values).toMatchObject([
    { type: 'Error', stacktrace: { frames: [] } },
  ])
  let deep: unknown = 'the first'
  for (let n = 0; n < 100; n += 1) deep = new Error('caused', { cause: deep })
  expect(createEvent(deep, context, names).exception.values).toHaveLength(4)
})
