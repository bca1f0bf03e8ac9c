// The faults that say nothing at all: hung calls and streams that fall silent, in every stage and
// shape. Only a deadline ends them, so these runs wait beside each other.

import { afterAll, expect, test, vi } from 'vitest'
import { faultNames, type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { isSlow, operationOf } from './fault-outcomes.ts'
import { type FaultRunner, openFaultRunner } from './fault-runs.ts'

const lanesPerShape = 3
vi.setConfig({ maxConcurrency: lanesPerShape * shapes.length, testTimeout: 60_000 })

// Long enough for an honest export on a busy machine, of which a dozen run at once here.
const deadlines = {
  CREATE_TIMEOUT_SECONDS: '5',
  PREPARE_TIMEOUT_SECONDS: '5',
  EXPORT_TIMEOUT_SECONDS: '5',
  STREAM_STALL_SECONDS: '5',
}

const opened: FaultRunner[] = []
const free = Object.fromEntries(shapes.map((shape) => [shape, [] as FaultRunner[]])) as Record<
  Shape,
  FaultRunner[]
>
afterAll(async () => {
  await Promise.all(opened.map(({ close }) => close()))
})

async function takeLane(shape: Shape): Promise<FaultRunner> {
  const known = free[shape].pop()
  if (known) return known
  const lane = await openFaultRunner(shape, deadlines)
  opened.push(lane)
  return lane
}

// The shapes take turns, so that as few worlds as possible stand beside each other.
const cases = faultNames
  .filter((name) => isSlow(name) && operationOf(name) !== undefined)
  .flatMap((name) => shapes.map((shape) => ({ shape, name })))
  .filter(({ shape, name }) => shape === 'A1' || !name.startsWith('update:'))

test.concurrent.each(cases)('in shape $shape: $name', async ({ shape, name }) => {
  const lane = await takeLane(shape)
  await lane.runWithFaults(name.startsWith('read:') ? ['slides:cut', name] : [name])
  free[shape].push(lane)
})

test.concurrent.each(['outlines:stall', 'slides:stall', 'prepare:hang'] as const)(
  'a silence that does not end is a timeout: %s',
  async (name) => {
    const lane = await takeLane('A1')
    await lane.runWithFaults([name], Number.POSITIVE_INFINITY)
    free.A1.push(lane)
  },
)

test('there are silences of each kind', () => expect(cases.length).toBeGreaterThan(4 * 15))
