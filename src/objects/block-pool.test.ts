import { afterEach, expect, test, vi } from 'vitest'
import { createBlockPool, pooledBlockBytes, pooledBlocks } from './block-pool.ts'

afterEach(() => void vi.useRealTimers())

const signal = () => new AbortController().signal

async function* chunks(total: number, bytes = 65_536) {
  for (let sent = 0; sent < total; sent += bytes)
    yield Buffer.alloc(Math.min(bytes, total - sent), sent % 251)
}

const open = (source: AsyncIterable<Buffer>, pool = createBlockPool(), maxBytes = 1e9) =>
  pooledBlocks(source, { pool, maxBytes, signal: signal(), onBytes: () => undefined })

async function sizes(source: AsyncIterable<Buffer>) {
  const found: [number, boolean][] = []
  for await (const { bytes, isLast } of open(source)) found.push([bytes.length, isLast])
  return found
}

test.for([1, 65_536, 65_537, pooledBlockBytes, pooledBlockBytes + 1, 2 * pooledBlockBytes + 7])(
  'cuts %i bytes into full blocks and a last one',
  async (total) => {
    const full = Math.ceil(total / pooledBlockBytes) - 1
    const expected = Array.from({ length: full }, () => [pooledBlockBytes, false])
    expect(await sizes(chunks(total))).toEqual([
      ...expected,
      [total - full * pooledBlockBytes, true],
    ])
  },
)

test('refuses an empty file, and one that is too large', async () => {
  await expect(sizes(chunks(0))).rejects.toMatchObject({ reason: 'is empty' })
  const blocks = open(chunks(11), createBlockPool(), 10)
  await expect(blocks.next()).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
})

test('an upload waits while all blocks are in use, and small files never do', async () => {
  const pool = createBlockPool({ blocks: 1 })
  const first = open(chunks(2 * pooledBlockBytes), pool)
  await first.next()
  const second = open(chunks(100_000), pool)
  let isServed = false
  const served = second.next().then(() => (isServed = true))
  expect((await open(chunks(10), pool).next()).value).toMatchObject({ isLast: true })
  expect(isServed).toBe(false)
  await first.return(undefined)
  await served
})

test('the slowest sender loses its block when another has waited for long', async () => {
  vi.useFakeTimers()
  const pool = createBlockPool({ blocks: 1, now: () => Date.now() })
  async function* slow() {
    yield Buffer.alloc(100_000)
    await new Promise(() => undefined)
    yield Buffer.alloc(1)
  }
  const evicted = open(slow(), pool)
    .next()
    .catch(({ code }) => code)
  await vi.advanceTimersByTimeAsync(5_000)
  const waiting = open(chunks(100_000), pool).next()
  await vi.advanceTimersByTimeAsync(30_000)
  expect(await evicted).toBe('RATE_LIMIT_EXCEEDED')
  expect((await waiting).value).toMatchObject({ isLast: true })
})
