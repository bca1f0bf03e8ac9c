// Faults of upstream in detail: which stages are retried, what is paid for again, and which events
// readers see.

import { afterAll, expect, test as sequentialTest } from 'vitest'
import type { FaultName, FaultOptions } from '../sandbox/presenton/stand-in.ts'
import { readLog } from './event-log-rules.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

const test = sequentialTest.concurrent

// Some runs wait for a stall or an outage to end, so they are concurrent, each in a world that no
// other run uses at that time.
const idle: World[] = []
afterAll(async () => {
  for (const world of idle) await world.close()
})

async function runWithFaults(...faults: [FaultName, FaultOptions?][]) {
  const world =
    idle.pop() ??
    (await openWorld({
      shape: 'B1',
      timing: { random: () => 0 },
      // BREAKER_MIN_CALLS: no run opens the circuit for the next one.
      env: { BREAKER_MIN_CALLS: '1000', STREAM_STALL_SECONDS: '1' },
    }))
  const { spend, journal, decks, faults: control } = world.presenton
  const before = { spend: { ...spend }, calls: journal.length, decks: decks.size }
  for (const [name, options] of faults) control.inject(name, options)
  const user = await world.createUser()
  const { id } = await user.submit()
  const log = readLog(await (await user.subscribe(id)).rest())
  const presentation = await user.read(id)
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
    presentation,
    spent,
    calls: journal.slice(before.calls),
    decks: [...decks.values()].slice(before.decks),
  }
}

const allStages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']

test('restarts a broken slides stream on a new deck, with the saved outlines', async () => {
  const { log, presentation, spent, decks } = await runWithFaults(['slides:cut'])
  expect(presentation).toMatchObject({ status: 'completed', slides_done: 3 })
  expect(log.stages.filter((stage) => stage === 'slides').length).toBeGreaterThanOrEqual(2)
  expect(log.stages.filter((stage) => stage === 'outlines')).toHaveLength(1)
  expect(spent).toEqual({ outlines: 1, prepares: 2, slideStreams: 2, exports: 1 })
  expect(log.slides).toHaveLength(3)
  expect(log.terminal).toMatchObject({
    type: 'complete',
    presentation: { id: presentation.presenton_presentation_id },
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
])('does not pay again for slides that upstream has saved: %s', async (fault) => {
  const { log, presentation, spent } = await runWithFaults([fault])
  expect(presentation).toMatchObject({ status: 'completed', slides_done: 3 })
  expect(spent).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
  expect(log.slides).toHaveLength(3)
})

test.each<FaultName>(['slides:ends', 'slides:stall'])(
  'retries a slides stream that ends without complete: %s',
  async (fault) => {
    const { presentation, spent } = await runWithFaults([fault])
    expect(presentation).toMatchObject({ status: 'completed' })
    expect(spent).toEqual({ outlines: 1, prepares: 2, slideStreams: 2, exports: 1 })
  },
)

test('fails the run after two failed slides attempts, without repeating the outlines', async () => {
  const { log, presentation, spent } = await runWithFaults(['slides:error-500', { times: 2 }])
  expect(log.terminal).toMatchObject({ type: 'error', code: 'UPSTREAM_ERROR', retryable: true })
  expect(presentation).toMatchObject({
    status: 'failed',
    error: { code: 'UPSTREAM_ERROR', retryable: true },
    files: [],
    completed_at: null,
  })
  expect(spent).toEqual({ outlines: 1, prepares: 2, slideStreams: 2, exports: 0 })
})

test('fails the run with UPSTREAM_TIMEOUT after two stalls', async () => {
  const { log, presentation } = await runWithFaults(['outlines:stall', { times: 2 }])
  expect(log.terminal).toMatchObject({ type: 'error', code: 'UPSTREAM_TIMEOUT' })
  expect(presentation).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_TIMEOUT' } })
})

test('retries failed outlines once, then fails the run, and never reveals error texts of upstream', async () => {
  const once = await runWithFaults(['outlines:error-secrets'])
  expect(once.presentation).toMatchObject({ status: 'completed' })
  expect(once.log.stages).toEqual(['create', 'outlines', ...allStages.slice(1)])
  expect(once.spent).toEqual({ outlines: 2, prepares: 1, slideStreams: 1, exports: 1 })

  const twice = await runWithFaults(['outlines:error-secrets', { times: 2 }])
  expect(twice.log.terminal).toMatchObject({ type: 'error', code: 'UPSTREAM_ERROR' })
  expect(twice.presentation).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_ERROR' } })
  expect(twice.spent).toEqual({ outlines: 2, prepares: 0, slideStreams: 0, exports: 0 })
  for (const result of [once, twice]) {
    expect(JSON.stringify([result.log.data, result.presentation])).not.toMatch(
      /s3cr3t|sk-[a-z0-9]|postgresql:|api[_-]?key|\/app\//i,
    )
  }
})

test.each<FaultName>(['export:500', 'export:reply-lost'])(
  'repeats only the export after a failed export: %s',
  async (fault) => {
    const { log, presentation, spent } = await runWithFaults([fault])
    expect(presentation).toMatchObject({ status: 'completed' })
    expect(log.stages).toEqual([...allStages.slice(0, 5), 'export', 'store'])
    expect(spent).toMatchObject({ outlines: 1, prepares: 1, slideStreams: 1 })
  },
)

test.each<FaultName>(['file:truncated', 'file:short', 'file:html'])(
  'exports again instead of storing an invalid file: %s',
  async (fault) => {
    const { log, presentation, spent } = await runWithFaults([fault])
    expect(presentation).toMatchObject({ status: 'completed' })
    expect(log.stages).toEqual([...allStages, 'export', 'store'])
    expect(spent).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 2 })
    expect(log.stored).toHaveLength(1)
    const file = await fetch(log.terminal.download.url)
    expect(Buffer.from(await file.arrayBuffer()).length).toBe(log.terminal.download.size_bytes)
    // The failed upload used another key: no key is written twice.
    expect(new URL(log.terminal.download.url).pathname).toMatch(
      new RegExp(`/${presentation.id}-2\\.pptx$`),
    )
  },
)

test.each<FaultName>(['export:path-dots', 'export:path-other-host'])(
  'never fetches a path outside the export folder, and exports again: %s',
  async (fault) => {
    const { presentation, spent, calls } = await runWithFaults([fault])
    expect(presentation).toMatchObject({ status: 'completed' })
    expect(spent).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 2 })
    const files = calls.filter(
      ({ operation, path }) => operation === 'file' || /passwd|userConfig|169\.254/.test(path),
    )
    expect(files).toMatchObject([{ operation: 'file', status: 200 }])
  },
)

test.each<FaultName>(['prepare:model-401', 'prepare:index-error'])(
  'retries prepare when upstream forwards an error of its model: %s',
  async (fault) => {
    const { log, presentation, spent } = await runWithFaults([fault])
    expect(presentation).toMatchObject({ status: 'completed' })
    expect(log.stages).toEqual(['create', 'outlines', 'prepare', ...allStages.slice(2)])
    expect(spent).toMatchObject({ outlines: 1, slideStreams: 1, exports: 1 })
  },
)

test('fails the run at once when upstream rejects the request', async () => {
  const { log, presentation, spent } = await runWithFaults(['create:422'])
  expect(log.stages).toEqual(['create'])
  expect(log.terminal).toMatchObject({ type: 'error', code: 'UPSTREAM_REJECTED', retryable: false })
  expect(presentation).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_REJECTED' } })
  expect(spent).toEqual({ outlines: 0, prepares: 0, slideStreams: 0, exports: 0 })
})

test('waits for the end of a short outage, which costs no attempt', async () => {
  const { log, presentation, spent } = await runWithFaults(['outlines:503'])
  expect(presentation).toMatchObject({ status: 'completed' })
  expect(log.stages).toEqual(allStages)
  expect(log.statuses).toContainEqual(
    expect.objectContaining({
      code: 'UPSTREAM_UNAVAILABLE',
      stage: 'outlines',
      retry_in_seconds: expect.any(Number),
    }),
  )
  expect(spent).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
})

test('forwards unknown event kinds of upstream, but none with a name of our own kinds', async () => {
  const unknownKinds = await runWithFaults(['slides:unknown-kinds'])
  expect(unknownKinds.log.data).toContainEqual({
    type: 'weather',
    rain: true,
    run: 1,
    stage: 'slides',
  })
  expect(unknownKinds.log.data).toContainEqual(
    expect.objectContaining({ type: 'fonts', run: 1, stage: 'slides' }),
  )
  const ownKinds = await runWithFaults(['slides:kinds-of-ours'])
  expect(ownKinds.presentation).toMatchObject({ status: 'completed' })
  expect(ownKinds.log.kinds.filter((kind) => kind === 'queued' || kind === 'stored')).toHaveLength(
    2,
  )
})

test.each<FaultName>([
  'slides:broken-part',
  'slides:dropped-part',
  'slides:repeated-part',
  'slides:garbage',
])('the chunks of a completed deck join to its slides: %s', async (fault) => {
  const { log, presentation } = await runWithFaults([fault])
  expect(presentation).toMatchObject({ status: 'completed' })
  expect(log.slides).toHaveLength(3)
  expect(log.slides).toEqual(log.terminal.presentation.slides)
})

test('an unknown template fails the run before anything is paid for, and is rejected once the list is cached', async () => {
  const world = await openWorld({ shape: 'B1' })
  try {
    const user = await world.createUser()
    const unknown = { ...brief, template: 'no-such-template' }
    const { id } = await user.submit(unknown)
    const log = readLog(await (await user.subscribe(id)).rest())
    expect(log.stages).toEqual(['create'])
    expect(log.terminal).toMatchObject({
      type: 'error',
      code: 'UPSTREAM_REJECTED',
      retryable: false,
    })
    expect(world.presenton.spend).toEqual({ outlines: 0, prepares: 0, slideStreams: 0, exports: 0 })

    expect(await user.api('/templates')).toMatchObject({ status: 200 })
    const rejected = await user.post(unknown)
    expect(rejected).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: '/template' }] },
    })
    await user.generate({ ...brief, template: 'modern' })
    await world.expectNoLeaks()
  } finally {
    await world.close()
  }
})
