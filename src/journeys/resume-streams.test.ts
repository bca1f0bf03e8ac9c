// Event streams: resumed at every event number, during a run and after its end, by many subscribers
// at once. Also the headers and heartbeats that browsers and proxies need.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Reader, StreamEvent } from '../sandbox/reader.ts'
import { readLog } from './event-log-rules.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
beforeAll(async () => {
  world = await openWorld({ shape: 'B1', replicas: 2, env: { SSE_HEARTBEAT_SECONDS: '1' } })
  user = await world.createUser()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

/** The events without download links, which differ for each subscriber. */
const withoutLinks = (events: readonly StreamEvent[]) =>
  events.map(({ id, event, text }) => [id, event, text.replace(/,"download":.*$/, '')])

test('a finished log can be resumed at every number, on both replicas', async () => {
  const { id } = await user.generate()
  const whole = await (await user.subscribe(id)).rest()
  readLog(whole)
  const last = whole.length
  for (const { url } of world.gateways) {
    const rests = await Promise.all(
      Array.from({ length: last }, async (_, from) => {
        const reader = await user.subscribe(id, { lastEventId: from, baseUrl: url })
        return withoutLinks(await reader.rest())
      }),
    )
    for (const [from, rest] of rests.entries())
      expect(rest).toEqual(withoutLinks(whole).slice(from))
    const finished = await user.subscribe(id, { lastEventId: last, baseUrl: url })
    expect(finished.status).toBe(204)
    expect(await finished.body).toBe('')
  }
})

test('subscribers that reconnect during a run get every event once', async () => {
  const { gates } = world.presenton
  gates.hold('outlines:chunk')
  gates.hold('slides:slide')
  const { id } = await user.submit()

  /** Reads `step` events, disconnects, and resumes on the other replica, until the log ends. */
  async function readWithReconnects(step: number): Promise<StreamEvent[]> {
    const read: StreamEvent[] = []
    for (let connection = 0; ; connection++) {
      const lastEventId = read.at(-1)?.id
      const reader = await user.subscribe(id, {
        baseUrl: world.gateways[connection % 2]!.url,
        ...(lastEventId === undefined ? {} : { lastEventId }),
      })
      expect(reader.status).toBe(200)
      for (let remaining = step; remaining > 0; remaining--) {
        const event = await reader.next()
        if (!event) return read
        read.push(event)
        if (event.data.type === 'complete') return read
      }
      reader.close()
    }
  }
  const readers = [1, 2, 3, 7, 10_000].map(readWithReconnects)
  // The gates let the run advance step by step, so that the subscribers wait in between.
  for (const point of ['outlines:chunk', 'slides:slide'] as const) {
    await gates.arrived(point)
    for (let step = 1; step <= 3; step++) {
      gates.release(point, 1)
      if (step < 3) await gates.arrived(point, step + 1)
    }
    gates.release(point)
  }
  const logs = await Promise.all(readers)
  const first = withoutLinks(logs[0]!)
  for (const log of logs) {
    readLog(log)
    expect(withoutLinks(log)).toEqual(first)
  }
})

test('a running log can be resumed at every number so far', async () => {
  const { gates } = world.presenton
  gates.hold('slides:slide')
  const { id } = await user.submit()
  await gates.arrived('slides:slide')
  gates.release('slides:slide', 1)
  await gates.arrived('slides:slide', 2)
  const watching = await user.subscribe(id)
  const soFar = await watching.until('chunk')
  while (!('slide_index' in soFar.at(-1)!.data)) soFar.push(await watching.expectNext())
  const readers = await Promise.all(
    soFar.map(({ id: seen }) => user.subscribe(id, { lastEventId: seen! })),
  )
  // Every subscriber reads up to the current end before the run continues.
  const caughtUp = await Promise.all(
    readers.map(async (reader, index) => {
      const read: StreamEvent[] = []
      while (read.length < soFar.length - index - 1) read.push((await reader.next())!)
      return read
    }),
  )
  gates.release('slides:slide')
  const whole = [...soFar, ...(await watching.rest())]
  readLog(whole)
  for (const [index, reader] of readers.entries()) {
    expect(withoutLinks([...caughtUp[index]!, ...(await reader.rest())])).toEqual(
      withoutLinks(whole).slice(index + 1),
    )
  }
})

test('accepts last_event_id as a query parameter, prefers the header, and returns 400 for a non-number', async () => {
  const { id } = await user.generate()
  const whole = withoutLinks(await (await user.subscribe(id)).rest())
  const rest = async (reader: Reader) => withoutLinks(await reader.rest())
  expect(await rest(await user.subscribe(id, { query: '?last_event_id=3' }))).toEqual(
    whole.slice(3),
  )
  expect(
    await rest(await user.subscribe(id, { query: '?last_event_id=3', lastEventId: 5 })),
  ).toEqual(whole.slice(5))
  expect(await rest(await user.subscribe(id, { query: '?last_event_id=0' }))).toEqual(whole)
  expect(await rest(await user.subscribe(id, { lastEventId: 0 }))).toEqual(whole)
  expect(await rest(await user.subscribe(id, { query: '?last_event_id=' }))).toEqual(whole)
  expect((await user.subscribe(id, { query: `?last_event_id=${whole.length}` })).status).toBe(204)

  for (const invalid of ['-1', '1.5', 'abc', '0x10', '1e3', '1,2', ' ', '１']) {
    const query = `?last_event_id=${encodeURIComponent(invalid)}`
    const readers = [await user.subscribe(id, { query })]
    if (/^[\x21-\x7e]+$/.test(invalid))
      readers.push(await user.subscribe(id, { lastEventId: invalid }))
    for (const reader of readers) {
      expect({ invalid, status: reader.status }).toEqual({ invalid, status: 400 })
      expect(reader.headers['content-type']).toMatch(/^application\/problem\+json/)
      expect(JSON.parse(await reader.body)).toMatchObject({
        code: 'VALIDATION_FAILED',
        status: 400,
      })
    }
  }
})

test('an id beyond the log gets a `resync` event with the last id, which the client resumes from', async () => {
  const { id } = await user.generate()
  const last = (await (await user.subscribe(id)).rest()).length
  for (const beyond of [last + 1, 10 ** 9, '9'.repeat(30)]) {
    const events = await (await user.subscribe(id, { lastEventId: beyond })).rest()
    expect(events).toMatchObject([
      {
        id: last,
        event: 'response',
        data: { type: 'resync', presentation: { id, status: 'completed' } },
      },
    ])
  }
  expect((await user.subscribe(id, { lastEventId: last })).status).toBe(204)
})

test('the stream is immediate, unbuffered and uncompressed, with `retry` and heartbeats', async () => {
  world.presenton.gates.hold('create')
  const { id } = await user.submit()
  const reader = await user.subscribe(id, {
    headers: { 'accept-encoding': 'gzip, deflate, br, zstd' },
  })
  expect(reader.status).toBe(200)
  expect(reader.headers).toMatchObject({
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  })
  expect(reader.headers['content-type']).toMatch(/^text\/event-stream/)
  expect(reader.headers).not.toHaveProperty('content-encoding')
  expect(reader.headers).not.toHaveProperty('content-length')
  await reader.expectNext('queued')
  expect(reader.retry).toBeGreaterThanOrEqual(1_000)
  expect(reader.retry).toBeLessThanOrEqual(3_000)
  await reader.expectNext('stage')
  // No event is due, so only heartbeats arrive.
  await expect
    .poll(() => reader.comments, { timeout: 20_000, interval: 50 })
    .toBeGreaterThanOrEqual(2)
  world.presenton.gates.release('create')
  expect((await reader.rest()).at(-1)).toMatchObject({ data: { type: 'complete' } })
})

test("a client of Presenton's slide stream can read the whole log", async () => {
  const { id } = await user.submit()
  // Like Presenton's own page: it joins the chunks and ignores unknown types.
  let text = ''
  let deck: { slides: unknown[] } | undefined
  for (const { event, data } of await (await user.subscribe(id)).rest()) {
    if (event !== 'response') continue
    if (data.type === 'chunk') text += data.chunk
    if (data.type === 'complete') deck = data.presentation
    if (data.type === 'error') throw new Error(data.detail)
  }
  expect(deck?.slides).toHaveLength(3)
  expect(JSON.parse(text)).toEqual({ slides: deck?.slides })
})

test('disconnecting subscribers neither stop nor repeat a run', async () => {
  const { gates, spend } = world.presenton
  const before = { ...spend }
  gates.hold('slides:slide')
  const { id } = await user.submit()
  for (let round = 0; round < 3; round++) {
    const readers = await Promise.all(Array.from({ length: 5 }, () => user.subscribe(id)))
    await Promise.all(readers.map((reader) => reader.expectNext('queued')))
    for (const reader of readers) reader.close()
  }
  await gates.arrived('slides:slide')
  const late = await user.subscribe(id)
  await late.until('stage')
  late.close()
  gates.release('slides:slide')
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 1 })
  readLog(await (await user.subscribe(id)).rest())
  const spent = Object.entries(spend).map(([kind, n]) => n - before[kind as keyof typeof before])
  expect(spent).toEqual([1, 1, 1, 1])
})

test('a subscriber that stops reading delays neither the run nor others, and later gets every event', async () => {
  world.presenton.gates.hold('create')
  const { id } = await user.submit({
    content: 'One sentence after the other. '.repeat(400),
    n_slides: 20,
  })
  const [slow, quick] = [await user.subscribe(id), await user.subscribe(id)]
  slow.pause()
  world.presenton.gates.release('create')
  const whole = withoutLinks(await quick.rest())
  expect(await user.read(id)).toMatchObject({ status: 'completed', slides_done: 20 })
  slow.resume()
  expect(withoutLinks(await slow.rest())).toEqual(whole)
})
