import { expect, it, vi } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { createBatcher } from './batcher.ts'

const overloaded = () => new Problem('DATABASE_UNAVAILABLE', { retryAfterSeconds: 5 })

/** Groups whose work is let go by hand. */
function openGroups(
  work: (pieces: string[]) => Promise<(string | Problem)[]> = async (pieces) =>
    pieces.map((piece) => `${piece}!`),
) {
  const done: string[][] = []
  let letGo: (() => void) | undefined
  const groups = createBatcher<string, string>({
    overloaded,
    isSharedFailure: (error) => error instanceof Problem && error.code === 'DATABASE_UNAVAILABLE',
    process: async (pieces) => {
      done.push(pieces)
      if (letGo === undefined) await new Promise<void>((resolve) => (letGo = resolve))
      return work(pieces)
    },
  })
  return { add: groups.add, done, letGo: () => letGo?.() }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const outcomes = async (work: Promise<string>[]) =>
  (await Promise.allSettled(work)).map((one) =>
    one.status === 'fulfilled' ? one.value : String(one.reason.code ?? one.reason.message),
  )

it('does a lone piece at once, and together what comes while it is under way', async () => {
  const { add, done, letGo } = openGroups()
  const work = [add('a')]
  await turn()
  work.push(add('b'), add('c'))
  await turn()
  expect(done).toEqual([['a']])
  letGo()
  expect(await outcomes(work)).toEqual(['a!', 'b!', 'c!'])
  expect(done).toEqual([['a'], ['b', 'c']])
})

it('puts no more than a hundred into one group', async () => {
  const { add, done, letGo } = openGroups()
  const first = add('a')
  await turn()
  const work = [first, ...Array.from({ length: 103 }, (_, n) => add(String(n)))]
  letGo()
  expect(await outcomes(work)).toHaveLength(104)
  expect(done.map(({ length }) => length)).toEqual([1, 100, 3])
})

it('gives each the problem that is its own', async () => {
  const { add, letGo } = openGroups(async (pieces) =>
    pieces.map((piece) => (piece === 'b' ? new Problem('QUEUE_FULL') : piece)),
  )
  const work = [add('a'), add('b'), add('c')]
  await turn()
  letGo()
  expect(await outcomes(work)).toEqual(['a', 'QUEUE_FULL', 'c'])
})

it('does each alone when together they fail, so that only the cause fails', async () => {
  const { add, done, letGo } = openGroups(async (pieces) => {
    if (pieces.includes('bad')) throw new Error('poison')
    return pieces
  })
  const work = [add('a'), add('bad'), add('c')]
  await turn()
  letGo()
  expect(await outcomes(work)).toEqual(['a', 'poison', 'c'])
  expect(done).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']])
  expect(await add('d')).toBe('d')
})

it('tells all of a group that the database is away, without asking it for each', async () => {
  const { add, done, letGo } = openGroups(async () => {
    throw new Problem('DATABASE_UNAVAILABLE')
  })
  const work = [add('a'), add('b')]
  await turn()
  letGo()
  expect(await outcomes(work)).toEqual(['DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'])
  expect(done).toHaveLength(1)
})

it('keeps nobody waiting behind a group that hangs for over five seconds, and does nothing for who was sent away', async () => {
  vi.useFakeTimers()
  try {
    const { add, done, letGo } = openGroups()
    const first = add('a')
    await vi.advanceTimersByTimeAsync(0)
    const late = add('b').catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(4_000)
    const next = add('c')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await late).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryAfterSeconds: 5 })
    letGo()
    expect(await Promise.all([first, next])).toEqual(['a!', 'c!'])
    expect(done).toEqual([['a'], ['c']])
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

it('begins one more group, and no third, beside one that has used up the patience', async () => {
  vi.useFakeTimers()
  try {
    const under = new Map<string, () => void>()
    const { add } = createBatcher<string, string>({
      overloaded,
      slowBatchMs: 500,
      process: async (pieces) => {
        await new Promise<void>((resolve) => under.set(pieces.join(), resolve))
        return pieces
      },
    })
    const first = add('a')
    await vi.advanceTimersByTimeAsync(499)
    const second = add('b')
    await vi.advanceTimersByTimeAsync(0)
    expect([...under.keys()]).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(1)
    expect([...under.keys()]).toEqual(['a', 'b'])
    await vi.advanceTimersByTimeAsync(600)
    const others = [add('c'), add('d')]
    await vi.advanceTimersByTimeAsync(100)
    expect([...under.keys()]).toEqual(['a', 'b'])
    under.get('a')?.()
    expect(await first).toBe('a')
    await vi.advanceTimersByTimeAsync(0)
    // The one that goes on takes them; b is still waited for beside it.
    expect([...under.keys()]).toEqual(['a', 'b', 'c,d'])
    under.get('c,d')?.()
    expect(await Promise.all(others)).toEqual(['c', 'd'])
    under.get('b')?.()
    expect(await second).toBe('b')
    const last = add('e')
    await vi.advanceTimersByTimeAsync(0)
    under.get('e')?.()
    expect(await last).toBe('e')
  } finally {
    vi.useRealTimers()
  }
})
