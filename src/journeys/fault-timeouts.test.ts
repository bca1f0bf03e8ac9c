// Every hanging call and stalled stream, in every upstream shape and stage. Only a deadline ends
// them, so these runs are concurrent.

import { afterAll, expect, test, vi } from 'vitest'
import { faultNames, type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { isSlow, operationOf } from './fault-effects.ts'
import { type FaultRunner, openFaultRunner } from './fault-runs.ts'

const runnersPerShape = 3
vi.setConfig({ maxConcurrency: runnersPerShape * shapes.length, testTimeout: 120_000 })

/** Long enough for a dozen concurrent exports on a busy machine. */
const deadlines = {
  CREATE_TIMEOUT_SECONDS: '5',
  PREPARE_TIMEOUT_SECONDS: '5',
  EXPORT_TIMEOUT_SECONDS: '5',
  STREAM_STALL_SECONDS: '5',
}

const runners: FaultRunner[] = []
const idle = Object.fromEntries(shapes.map((shape) => [shape, [] as FaultRunner[]])) as Record<
  Shape,
  FaultRunner[]
>
afterAll(async () => {
  await Promise.all(runners.map(({ close }) => close()))
})

/** Takes an idle runner of this shape, or opens one. */
async function takeRunner(shape: Shape): Promise<FaultRunner> {
  const runner = idle[shape].pop()
  if (runner) return runner
  const opened = await openFaultRunner(shape, deadlines)
  runners.push(opened)
  return opened
}

// Neighbouring cases have different shapes, which keeps the number of open worlds small.
const cases = faultNames
  .filter((name) => isSlow(name) && operationOf(name) !== undefined)
  .flatMap((name) => shapes.map((shape) => ({ shape, name })))
  .filter(({ shape, name }) => shape === 'A1' || !name.startsWith('update:'))

test.concurrent.each(cases)('with upstream shape $shape: $name', async ({ shape, name }) => {
  const runner = await takeRunner(shape)
  await runner.runWithFaults(name.startsWith('read:') ? ['slides:cut', name] : [name])
  idle[shape].push(runner)
})

test.concurrent.each(['outlines:stall', 'slides:stall', 'prepare:hang'] as const)(
  'fails the run with UPSTREAM_TIMEOUT after the last attempt: %s',
  async (name) => {
    const runner = await takeRunner('A1')
    await runner.runWithFaults([name], Number.POSITIVE_INFINITY)
    idle.A1.push(runner)
  },
)

test('the stand-in has more than 60 slow cases', () => expect(cases.length).toBeGreaterThan(4 * 15))
