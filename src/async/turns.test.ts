import { expect, it } from 'vitest'
import { createTurns } from './turns.ts'

function openTurns() {
  let nowMs = 0
  const callbacks: (() => void)[] = []
  const takeTurn = createTurns({
    maxMs: 10,
    now: () => nowMs,
    nextTurn: (callback) => void callbacks.push(callback),
  })
  return {
    takeTurn,
    pass: (ms: number) => {
      nowMs += ms
    },
    /** Ends the turn. Resolves when those whom the next turn resumed have run. */
    async endTurn() {
      for (const callback of callbacks.splice(0)) callback()
      await new Promise(setImmediate)
    },
    isIdle: () => callbacks.length === 0,
  }
}

it('lets work go on until the turn has lasted long enough', () => {
  const { takeTurn, pass } = openTurns()
  expect(takeTurn()).toBeUndefined()
  pass(9)
  expect(takeTurn()).toBeUndefined()
  pass(1)
  expect(takeTurn()).toBeInstanceOf(Promise)
})

it('resumes one waiting piece in each turn, in the order of the calls', async () => {
  const { takeTurn, pass, endTurn } = openTurns()
  void takeTurn()
  pass(10)
  const resumed: string[] = []
  for (const name of ['a', 'b', 'c']) void takeTurn()?.then(() => resumed.push(name))
  await endTurn()
  expect(resumed).toEqual(['a'])
  await endTurn()
  expect(resumed).toEqual(['a', 'b'])
  await endTurn()
  expect(resumed).toEqual(['a', 'b', 'c'])
})

it('lets no one overtake pieces that wait', async () => {
  const { takeTurn, pass, endTurn } = openTurns()
  void takeTurn()
  pass(10)
  const resumed: string[] = []
  void takeTurn()?.then(() => resumed.push('first'))
  void takeTurn()?.then(() => resumed.push('second'))
  await endTurn()
  void takeTurn()?.then(() => resumed.push('late'))
  expect(resumed).toEqual(['first'])
  await endTurn()
  await endTurn()
  expect(resumed).toEqual(['first', 'second', 'late'])
})

it('asks for no further turn once there is no work', async () => {
  const { takeTurn, endTurn, isIdle } = openTurns()
  void takeTurn()
  await endTurn()
  expect(isIdle()).toBe(true)
  expect(takeTurn()).toBeUndefined()
})
