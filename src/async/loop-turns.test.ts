import { expect, it } from 'vitest'
import { createLoopTurns } from './loop-turns.ts'

function openTurns() {
  let nowMs = 0
  const callbacks: (() => void)[] = []
  const takeLoopTurn = createLoopTurns({
    maxMs: 10,
    now: () => nowMs,
    nextTurn: (callback) => void callbacks.push(callback),
  })
  return {
    takeLoopTurn,
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
  const { takeLoopTurn, pass } = openTurns()
  expect(takeLoopTurn()).toBeUndefined()
  pass(9)
  expect(takeLoopTurn()).toBeUndefined()
  pass(1)
  expect(takeLoopTurn()).toBeInstanceOf(Promise)
})

it('resumes one waiting piece in each turn, in the order of the calls', async () => {
  const { takeLoopTurn, pass, endTurn } = openTurns()
  void takeLoopTurn()
  pass(10)
  const resumed: string[] = []
  for (const name of ['a', 'b', 'c']) void takeLoopTurn()?.then(() => resumed.push(name))
  await endTurn()
  expect(resumed).toEqual(['a'])
  await endTurn()
  expect(resumed).toEqual(['a', 'b'])
  await endTurn()
  expect(resumed).toEqual(['a', 'b', 'c'])
})

it('lets no one overtake pieces that wait', async () => {
  const { takeLoopTurn, pass, endTurn } = openTurns()
  void takeLoopTurn()
  pass(10)
  const resumed: string[] = []
  void takeLoopTurn()?.then(() => resumed.push('first'))
  void takeLoopTurn()?.then(() => resumed.push('second'))
  await endTurn()
  void takeLoopTurn()?.then(() => resumed.push('late'))
  expect(resumed).toEqual(['first'])
  await endTurn()
  await endTurn()
  expect(resumed).toEqual(['first', 'second', 'late'])
})

it('asks for no further turn once there is no work', async () => {
  const { takeLoopTurn, endTurn, isIdle } = openTurns()
  void takeLoopTurn()
  await endTurn()
  expect(isIdle()).toBe(true)
  expect(takeLoopTurn()).toBeUndefined()
})
