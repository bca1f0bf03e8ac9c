import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Emission, openEventGenerator } from './event-generator.ts'
import { openReaders, type Readers } from './readers.ts'
import { createTimestampReader, formatTimestamp, nowMs } from './timestamps.ts'

let generator: Awaited<ReturnType<typeof openEventGenerator>>
let readers: Readers
const delaysMs: number[] = []

beforeEach(async () => {
  delaysMs.length = 0
  generator = await openEventGenerator({ upstream: 'http://127.0.0.1:9' })
  readers = await openReaders(
    ['proxy-peer-0', 'proxy-peer-1'].map((deck) => ({
      url: `${generator.url}/api/v1/ppt/presentation/stream/${deck}`,
    })),
    (delayMs) => delaysMs.push(delayMs),
  )
})

afterEach(async () => {
  readers.close()
  await generator.close()
})

async function post(path: string, body: object): Promise<unknown> {
  const response = await fetch(`${generator.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  return response.json()
}

test.each([
  ['at full speed', {}],
  ['at a given rate', { perSecond: 1000 }],
])('emits events with timestamps %s to the streams of a group', async (_, rate) => {
  expect(await post('/bench/state', {})).toMatchObject({ open: { proxy: 2 } })
  for (const kind of ['slide', 'assets', 'token'] as const) {
    const emission: Emission = { group: 'proxy', kind, events: 20, bytes: 100, ...rate }
    expect(await post('/bench/emit', emission)).toEqual({ sentEvents: 40 })
  }
  await readers.waitForEvents(120, 30_000)
  expect(readers.countEvents()).toBe(120)
  expect(delaysMs).toHaveLength(120)
  expect(Math.min(...delaysMs)).toBeGreaterThan(0)
  expect(readers.countBroken()).toBe(0)
})

test('counts readers whose connection broke', async () => {
  await generator.close()
  await expect.poll(() => readers.countBroken()).toBe(2)
})

test('finds a timestamp that is split between two chunks', () => {
  const bytes = Buffer.from(`data: ${formatTimestamp(nowMs())}\n\n`)
  for (let at = 1; at < bytes.length; at++) {
    const reader = createTimestampReader()
    reader.read(bytes.subarray(0, at))
    reader.read(bytes.subarray(at))
    expect(reader.count).toMatchObject({ events: 1, bytes: bytes.length })
  }
})
