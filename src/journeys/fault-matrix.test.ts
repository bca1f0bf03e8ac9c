// Every shape of Presenton × every fault × every stage that can meet it: how the run ends, what its
// readers see, what is paid again, and that nothing is left behind. What should happen is in
// `fault-table`.

import { afterAll, beforeAll, describe, test } from 'vitest'
import { type FaultName, faultNames, type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { effectOf, hasLogin, isSlow, operationOf } from './fault-outcomes.ts'
import { combineFaults, type FaultRunner, openFaultRunner } from './fault-runs.ts'

const quick = (shape: Shape) =>
  faultNames.filter((name) => {
    const operation = operationOf(name)
    return operation !== undefined && !isSlow(name) && (operation !== 'update' || shape === 'A1')
  })
const isLogin = (name: FaultName, shape: Shape) => name.endsWith(':401') && hasLogin(shape)
/** Faults that only strike a run that has met another one. */
const companions = (name: FaultName): FaultName[] =>
  name.startsWith('read:') ? ['slides:cut', name] : [name]

/** One of each kind that burns attempts, in each stage: these never stop. */
const lastingFaults = [
  ...([
    'create:500',
    'create:reply-lost',
    'outlines:404',
    'outlines:error-500',
    'prepare:404',
    'prepare:model-401',
  ] as const),
  ...([
    'slides:404',
    'slides:429',
    'slides:500',
    'slides:cut',
    'export:404',
    'export:runtime-failed',
  ] as const),
  ...(['export:path-outside', 'file:500', 'file:truncated'] as const),
]

describe.each([...shapes])('in shape %s', (shape) => {
  let lane: FaultRunner
  beforeAll(async () => {
    lane = await openFaultRunner(shape)
  })
  afterAll(() => lane.close())

  const names = quick(shape)
  const ending = names.filter((name) => effectOf(name, shape) === 'refused')
  const passing = names.filter(
    (name) => effectOf(name, shape) !== 'refused' && !isLogin(name, shape),
  )
  const looking = passing.filter((name) => operationOf(name) === 'read')
  const bundles = combineFaults(
    passing.filter((name) => !looking.includes(name)),
    shape,
  )

  test.each(ending.map((name) => ({ name })))('a run is refused at once: $name', ({ name }) =>
    lane.runWithFaults(companions(name)),
  )

  test.each(looking.map((name) => ({ name })))('slides are looked for through $name', ({ name }) =>
    lane.runWithFaults(companions(name)),
  )

  const lasting = (['update:500', ...lastingFaults] as const).filter((name) => names.includes(name))
  test.each(lasting.map((name) => ({ name })))(
    'a run ends when its attempts are used up: $name',
    ({ name }) => lane.runWithFaults([name], Number.POSITIVE_INFINITY),
  )

  test.each(bundles.map((names) => ({ names })))('a run goes on through $names', ({ names }) =>
    lane.runWithFaults(names),
  )
})
