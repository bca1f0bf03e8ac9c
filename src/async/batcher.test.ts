import { expect, it, vi } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { createBatcher } from './batcher.ts'

const overloaded = () => new Problem('DATABASE_UNAVAILABLE', { retryAfterSeconds: 5 })

/** A batcher whose first batch waits for `release`. */
function openBatcher(
  work: (items: string[]) => Promise<(string | Problem)[]> = async (items) =>
    items.map((item) => `${item}!`),
) {
  const batches: string[][] = []
  let releaseFirst: (() => void) | undefined
  const batcher = createBatcher<string, string>({
    overloaded,
    isSharedFailure: (error) => error instanceof Problem && error.code === 'DATABASE_UNAVAILABLE',
    process: async (items) => {
      batches.push(items)
      if (releaseFirst === undefined) await new Promise<void>((resolve) => (releaseFirst = resolve))
      return work(items)
    },
  })
  return { add: batcher.add, batches, release: () => releaseFirst?.() }
}

const nextTick = () => new Promise((resolve) => setImmediate(resolve))
const outcomes = async (work: Promise<string>[]) =>
  (await Promise.allSettled(work)).map((result) =>
    result.status === 'fulfilled'
      ? result.value
      : String(result.reason.code ?? result.reason.message),
  )

it('processes a lone item at once, and later items in one batch', async () => {
  const { add, batches, release } = openBatcher()
  const work = [add('a')]
  await nextTick()
  work.push(add('b'), add('c'))
  await nextTick()
  expect(batches).toEqual([['a']])
  release()
  expect(await outcomes(work)).toEqual(['a!', 'b!', 'c!'])
  expect(batches).toEqual([['a'], ['b', 'c']])
})

it('limits a batch to a hundred items', async () => {
  const { add, batches, release } = openBatcher()
  const first = add('a')
  await nextTick()
  const work = [first, ...Array.from({ length: 103 }, (_, n) => add(String(n)))]
  release()
  expect(await outcomes(work)).toHaveLength(104)
  expect(batches.map(({ length }) => length)).toEqual([1, 100, 3])
})

it('rejects only the items whose outcome is a problem', async () => {
  const { add, release } = openBatcher(async (items) =>
    items.map((item) => (item === 'b' ? new Problem('QUEUE_FULL') : item)),
  )
  const work = [add('a'), add('b'), add('c')]
  await nextTick()
  release()
  expect(await outcomes(work)).toEqual(['a', 'QUEUE_FULL', 'c'])
})

it('retries each item of a failed batch alone, so that only the cause fails', async () => {
  const { add, batches, release } = openBatcher(async (items) => {
    if (items.includes('bad')) throw new Error('poison')
    return items
  })
  const work = [add('a'), add('bad'), add('c')]
  await nextTick()
  release()
  expect(await outcomes(work)).toEqual(['a', 'poison', 'c'])
  expect(batches).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']])
  expect(await add('d')).toBe('d')
})

it('rejects the whole batch during a database outage, without a retry of each item', async () => {
  const { add, batches, release } = openBatcher(async () => {
    throw new Problem('DATABASE_UNAVAILABLE')
  })
  const work = [add('a'), add('b')]
  await nextTick()
  release()
  expect(await outcomes(work)).toEqual(['DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'])
  expect(batches).toHaveLength(1)
})

it('rejects an item that waits five seconds behind a hanging batch, and never processes it', async () => {
  vi.useFakeTimers()
  try {
    const { add, batches, release } = openBatcher()
    const first = add('a')
    await vi.advanceTimersByTimeAsync(0)
    const late = add('b').catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(4_000)
    const next = add('c')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await late).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryAfterSeconds: 5 })
    release()
    expect(await Promise.all([first, next])).toEqual(['a!', 'c!'])
    expect(batches).toEqual([['a'], ['c']])
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

it('starts a second batch, but no third, beside one that exceeds slowBatchMs', async () => {
  vi.useFakeTimers()
  try {
    const running = new Map<string, () => void>()
    const { add } = createBatcher<string, string>({
      overloaded,
      slowBatchMs: 500,
      process: async (items) => {
        await new Promise<void>((resolve) => running.set(items.join(), resolve))
        return items
      },
    })
    const first = add('a')
    await vi.advanceTimersByTimeAsync(499)
    const second = add('b')
    await vi.advanceTimersByTimeAsync(0)
    expect([...running.keys()]).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(1)
    expect([...running.keys()]).toEqual(['a', 'b'])
    await vi.advanceTimersByTimeAsync(600)
    const others = [add('c'), add('d')]
    await vi.advanceTimersByTimeAsync(100)
    expect([...running.keys()]).toEqual(['a', 'b'])
    running.get('a')?.()
    expect(await first).toBe('a')
    await vi.advanceTimersByTimeAsync(0)
    // They form a new batch, while the second one is still running.
    expect([...running.keys()]).toEqual(['a', 'b', 'c,d'])
    running.get('c,d')?.()
    expect(await Promise.all(others)).toEqual(['c', 'd'])
    running.get('b')?.()
    expect(await second).toBe('b')
    const last = add('e')
    await vi.advanceTimersByTimeAsync(0)
    running.get('e')?.()
    expect(await last).toBe('e')
  } finally {
    vi.useRealTimers()
  }
})
