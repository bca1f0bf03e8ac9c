// Every shape of Presenton × every fault × every stage that can meet it: how the run ends, what its
// readers see, what is paid again, and that nothing is left behind. What should happen is in
// `fault-table`.

import { afterAll, beforeAll, describe, test } from 'vitest'
import { type FaultName, faultNames, type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { bundle, type Lane, openLane } from './fault-lane.ts'
import { hasLogin, isSlow, meaningOf, operationOf } from './fault-table.ts'

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
  let lane: Lane
  beforeAll(async () => {
    lane = await openLane(shape)
  })
  afterAll(() => lane.close())

  const names = quick(shape)
  const ending = names.filter((name) => meaningOf(name, shape) === 'refused')
  const passing = names.filter(
    (name) => meaningOf(name, shape) !== 'refused' && !isLogin(name, shape),
  )
  const looking = passing.filter((name) => operationOf(name) === 'read')
  const bundles = bundle(
    passing.filter((name) => !looking.includes(name)),
    shape,
  )

  test.each(ending.map((name) => ({ name })))('a run is refused at once: $name', ({ name }) =>
    lane.meet(companions(name)),
  )

  test.each(looking.map((name) => ({ name })))('slides are looked for through $name', ({ name }) =>
    lane.meet(companions(name)),
  )

  const lasting = (['update:500', ...lastingFaults] as const).filter((name) => names.includes(name))
  test.each(lasting.map((name) => ({ name })))(
    'a run ends when its attempts are used up: $name',
    ({ name }) => lane.meet([name], Number.POSITIVE_INFINITY),
  )

  test.each(bundles.map((names) => ({ names })))('a run goes on through $names', ({ names }) =>
    lane.meet(names),
  )
})
