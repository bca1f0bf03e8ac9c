// Upstream fails: what is tried again and what is not, what is paid again and what is not, and what
// readers see of it.

import { afterAll, expect, test as ordered } from 'vitest'
import type { FaultName, FaultOptions } from '../sandbox/presenton/stand-in.ts'
import { readLog } from './event-log-rules.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

const test = ordered.concurrent

// Some wait for a stall or for an outage to pass, so journeys go side by side, each in a world that
// is its own for the time.
const idle: World[] = []
afterAll(async () => {
  for (const world of idle) await world.close()
})

async function run(...faults: [FaultName, FaultOptions?][]) {
  // Wide enough that no journey opens the circuit for the next one.
  const world =
    idle.pop() ??
    (await openWorld({
      shape: 'B1',
      timing: { random: () => 0 },
      env: { BREAKER_MIN_CALLS: '1000', STREAM_STALL_SECONDS: '1' },
    }))
  const { spend, journal, decks, faults: control } = world.presenton
  const before = { spend: { ...spend }, calls: journal.length, decks: decks.size }
  for (const [name, options] of faults) control.inject(name, options)
  const user = await world.createUser()
  const { id } = await user.submit()
  const log = readLog(await (await user.subscribe(id)).rest())
  const done = await user.read(id)
  const spent = {
    outlines: spend.outlines - before.spend.outlines,
    prepares: spend.prepares - before.spend.prepares,
    slideStreams: spend.slideStreams - before.spend.slideStreams,
    exports: spend.exports - before.spend.exports,
  }
  await world.expectNoLeaks()
  idle.push(world)
  return {
    log,
    done,
    spent,
    calls: journal.slice(before.calls),
    decks: [...decks.values()].slice(before.decks),
  }
}

const plainWay = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']

test('a slides stream that is cut is begun again on a fresh deck, from the saved outlines', async () => {
  const { log, done, spent, decks } = await run(['slides:cut'])
  expect(done).toMatchObject({ status: 'completed', slides_done: 3 })
  expect(log.stages.filter((stage) => stage === 'slides').length).toBeGreaterThanOrEqual(2)
  expect(log.stages.filter((stage) => stage === 'outlines')).toHaveLength(1)
  expect(spent).toEqual({ outlines: 1, prepares: 2, slideStreams: 2, exports: 1 })
  expect(log.slides).toHaveLength(3)
  expect(log.terminal).toMatchObject({
    type: 'complete',
    presentation: { id: done.presenton_presentation_id },
  })
  expect(decks.map(({ outlines }) => outlines)).toEqual([decks[0]!.outlines, decks[0]!.outlines])
  expect(decks.map(({ slides }) => slides.length)).toEqual([0, 3])
  expect(log.statuses).toContainEqual(
    expect.objectContaining({
      stage: 'slides',
      code: 'UPSTREAM_ERROR',
      retry_in_seconds: expect.any(Number),
    }),
  )
})

test.each<FaultName>([
  'slides:saved-cut',
  'slides:saved-no-complete',
  'slides:stall-after-complete',
])('slides that upstream has kept are not paid twice: %s', async (fault) => {
  const { log, done, spent } = await run([fault])
  expect(done).toMatchObject({ status: 'completed', slides_done: 3 })
  expect(spent).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
  expect(log.slides).toHaveLength(3)
})

test.each<FaultName>(['slides:ends', 'slides:stall'])(
  'a slides stream without its end is a failure, and is begun once more: %s',
  async (fault) => {
    const { done, spent } = await run([fault])
    expect(done).toMatchObject({ status: 'completed' })
    expect(spent).toEqual({ outlines: 1, prepares: 2, slideStreams: 2, exports: 1 })
  },
)

test('slides that fail twice end the run, and its outlines are kept', async () => {
  const { log, done, spent } = await run(['slides:error-500', { times: 2 }])
  expect(log.terminal).toMatchObject({ type: 'error', code: 'UPSTREAM_ERROR', retryable: true })
  expect(done).toMatchObject({
    status: 'failed',
    error: { code: 'UPSTREAM_ERROR', retryable: true },
    files: [],
    completed_at: null,
  })
  expect(spent).toEqual({ outlines: 1, prepares: 2, slideStreams: 2, exports: 0 })
})

test('a stall that comes twice is a timeout', async () => {
  const { log, done } = await run(['outlines:stall', { times: 2 }])
  expect(log.terminal).toMatchObject({ type: 'error', code: 'UPSTREAM_TIMEOUT' })
  expect(done).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_TIMEOUT' } })
})

test('outlines that end in an error once are made again; twice end the run, with nothing of what upstream said', async () => {
  const once = await run(['outlines:error-secrets'])
  expect(once.done).toMatchObject({ status: 'completed' })
  expect(once.log.stages).toEqual(['create', 'outlines', ...plainWay.slice(1)])
  expect(once.spent).toEqual({ outlines: 2, prepares: 1, slideStreams: 1, exports: 1 })

  const twice = await run(['outlines:error-secrets', { times: 2 }])
  expect(twice.log.terminal).toMatchObject({ type: 'error', code: 'UPSTREAM_ERROR' })
  expect(twice.done).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_ERROR' } })
  expect(twice.spent).toEqual({ outlines: 2, prepares: 0, slideStreams: 0, exports: 0 })
  for (const told of [once, twice]) {
    expect(JSON.stringify([told.log.data, told.done])).not.toMatch(
      /s3cr3t|sk-[a-z0-9]|postgresql:|api[_-]?key|\/app\//i,
    )
  }
})

test.each<FaultName>(['export:500', 'export:reply-lost'])(
  'an export that fails is repeated alone: %s',
  async (fault) => {
    const { log, done, spent } = await run([fault])
    expect(done).toMatchObject({ status: 'completed' })
    expect(log.stages).toEqual([...plainWay.slice(0, 5), 'export', 'store'])
    expect(spent).toMatchObject({ outlines: 1, prepares: 1, slideStreams: 1 })
  },
)

test.each<FaultName>(['file:truncated', 'file:short', 'file:html'])(
  'a file that is not whole is never stored as done; the deck is exported again: %s',
  async (fault) => {
    const { log, done, spent } = await run([fault])
    expect(done).toMatchObject({ status: 'completed' })
    expect(log.stages).toEqual([...plainWay, 'export', 'store'])
    expect(spent).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 2 })
    expect(log.stored).toHaveLength(1)
    const file = await fetch(log.terminal.download.url)
    expect(Buffer.from(await file.arrayBuffer()).length).toBe(log.terminal.download.size_bytes)
    // The file that went wrong has a key of its own: none is written twice.
    expect(new URL(log.terminal.download.url).pathname).toMatch(new RegExp(`/${done.id}-2\\.pptx$`))
  },
)

test.each<FaultName>(['export:path-dots', 'export:path-other-host'])(
  'a file that lies where no file of ours does is never fetched; the deck is exported again: %s',
  async (fault) => {
    const { done, spent, calls } = await run([fault])
    expect(done).toMatchObject({ status: 'completed' })
    expect(spent).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 2 })
    const files = calls.filter(
      ({ operation, path }) => operation === 'file' || /passwd|userConfig|169\.254/.test(path),
    )
    expect(files).toMatchObject([{ operation: 'file', status: 200 }])
  },
)

test.each<FaultName>(['prepare:model-401', 'prepare:index-error'])(
  'what upstream passes on of its model in prepare is a fault, not a refusal: %s',
  async (fault) => {
    const { log, done, spent } = await run([fault])
    expect(done).toMatchObject({ status: 'completed' })
    expect(log.stages).toEqual(['create', 'outlines', 'prepare', ...plainWay.slice(2)])
    expect(spent).toMatchObject({ outlines: 1, slideStreams: 1, exports: 1 })
  },
)

test('a refusal of upstream ends the run at once', async () => {
  const { log, done, spent } = await run(['create:422'])
  expect(log.stages).toEqual(['create'])
  expect(log.terminal).toMatchObject({ type: 'error', code: 'UPSTREAM_REJECTED', retryable: false })
  expect(done).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_REJECTED' } })
  expect(spent).toEqual({ outlines: 0, prepares: 0, slideStreams: 0, exports: 0 })
})

test('an outage of a moment is waited out and burns no attempt', async () => {
  const { log, done, spent } = await run(['outlines:503'])
  expect(done).toMatchObject({ status: 'completed' })
  expect(log.stages).toEqual(plainWay)
  expect(log.statuses).toContainEqual(
    expect.objectContaining({
      code: 'UPSTREAM_UNAVAILABLE',
      stage: 'outlines',
      retry_in_seconds: expect.any(Number),
    }),
  )
  expect(spent).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
})

test('kinds that upstream invents pass on, those that bear our names do not', async () => {
  const invented = await run(['slides:unknown-kinds'])
  expect(invented.log.data).toContainEqual({ type: 'weather', rain: true, run: 1, stage: 'slides' })
  expect(invented.log.data).toContainEqual(
    expect.objectContaining({ type: 'fonts', run: 1, stage: 'slides' }),
  )
  const ours = await run(['slides:kinds-of-ours'])
  expect(ours.done).toMatchObject({ status: 'completed' })
  expect(ours.log.kinds.filter((kind) => kind === 'queued' || kind === 'stored')).toHaveLength(2)
})

test.each<FaultName>([
  'slides:broken-part',
  'slides:dropped-part',
  'slides:repeated-part',
  'slides:garbage',
])(
  'however the stream is bent, a deck that is complete has slides that join: %s',
  async (fault) => {
    const { log, done } = await run([fault])
    expect(done).toMatchObject({ status: 'completed' })
    expect(log.slides).toHaveLength(3)
    expect(log.slides).toEqual(log.terminal.presentation.slides)
  },
)

test('a template that upstream does not have ends the run before anything is paid, and is refused once the list is known', async () => {
  const fresh = await openWorld({ shape: 'B1' })
  try {
    const own = await fresh.createUser()
    const unknown = { ...brief, template: 'no-such-template' }
    const { id } = await own.submit(unknown)
    const log = readLog(await (await own.subscribe(id)).rest())
    expect(log.stages).toEqual(['create'])
    expect(log.terminal).toMatchObject({
      type: 'error',
      code: 'UPSTREAM_REJECTED',
      retryable: false,
    })
    expect(fresh.presenton.spend).toEqual({ outlines: 0, prepares: 0, slideStreams: 0, exports: 0 })

    expect(await own.api('/templates')).toMatchObject({ status: 200 })
    const refused = await own.post(unknown)
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: '/template' }] },
    })
    await own.generate({ ...brief, template: 'modern' })
    await fresh.expectNoLeaks()
  } finally {
    await fresh.close()
  }
})
