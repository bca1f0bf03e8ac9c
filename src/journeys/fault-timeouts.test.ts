// Every hanging call and stalled stream, in every upstream shape and stage. Only a deadline ends
// them, so these runs are concurrent.

import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { faultNames, type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { isSlow, operationOf } from './fault-effects.ts'
import { type FaultRunner, openFaultRunner } from './fault-runs.ts'

const runnersPerShape = 3
vi.setConfig({ maxConcurrency: runnersPerShape * shapes.length, testTimeout: 300_000 })

/** Long enough for a dozen concurrent exports on a busy machine. */
const deadlines = {
  CREATE_TIMEOUT_SECONDS: '8',
  PREPARE_TIMEOUT_SECONDS: '8',
  EXPORT_TIMEOUT_SECONDS: '8',
  STREAM_STALL_SECONDS: '8',
}

interface Pool {
  idle: FaultRunner[]
  /** Cases of this shape that wait for a runner. */
  waiting: ((runner: FaultRunner) => void)[]
}

const pools = new Map<Shape, Pool>(shapes.map((shape) => [shape, { idle: [], waiting: [] }]))
const runners: FaultRunner[] = []

// All before the first run: to open one keeps the process busy while deadlines of others pass.
beforeAll(async () => {
  for (const [shape, { idle }] of pools) {
    for (let count = 0; count < runnersPerShape; count++) {
      const runner = await openFaultRunner(shape, deadlines)
      runners.push(runner)
      idle.push(runner)
    }
  }
})

afterAll(async () => {
  await Promise.all(runners.map(({ close }) => close()))
})

async function withRunner(shape: Shape, use: (runner: FaultRunner) => Promise<void>) {
  const pool = pools.get(shape) as Pool
  const runner =
    pool.idle.pop() ?? (await new Promise<FaultRunner>((resolve) => pool.waiting.push(resolve)))
  try {
    await use(runner)
  } finally {
    const next = pool.waiting.shift()
    if (next) next(runner)
    else pool.idle.push(runner)
  }
}

// Neighbouring cases have different shapes, which keeps the number of open worlds small.
const cases = faultNames
  .filter((name) => isSlow(name) && operationOf(name) !== undefined)
  .flatMap((name) => shapes.map((shape) => ({ shape, name })))
  .filter(({ shape, name }) => shape === 'A1' || !name.startsWith('update:'))

test.concurrent.each(cases)('with upstream shape $shape: $name', ({ shape, name }) =>
  withRunner(shape, (runner) =>
    runner.runWithFaults(name.startsWith('read:') ? ['slides:cut', name] : [name]),
  ),
)

test.concurrent.each(['outlines:stall', 'slides:stall', 'prepare:hang'] as const)(
  'fails the run with UPSTREAM_TIMEOUT after the last attempt: %s',
  (name) => withRunner('A1', (runner) => runner.runWithFaults([name], Number.POSITIVE_INFINITY)),
)

test('the stand-in has more than 60 slow cases', () => expect(cases.length).toBeGreaterThan(4 * 15))
