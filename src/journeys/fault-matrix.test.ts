// Every quick fault, in every upstream shape and every stage that can meet it: how the run ends,
// which events readers see, what is paid for, and that nothing leaks. See `fault-outcomes.ts`.

import { afterAll, beforeAll, describe, test } from 'vitest'
import { type FaultName, faultNames, type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { effectOf, isSlow, operationOf } from './fault-effects.ts'
import { combineFaults, type FaultRunner, openFaultRunner } from './fault-runs.ts'
import { hasLogin } from './upstream-options.ts'

const quickFaults = (shape: Shape) =>
  faultNames.filter((name) => {
    const operation = operationOf(name)
    return operation !== undefined && !isSlow(name) && (operation !== 'update' || shape === 'A1')
  })
const isLoginFault = (name: FaultName, shape: Shape) => name.endsWith(':401') && hasLogin(shape)

/** The gateway reads the deck only after failed slides, so a fault of `read` needs another one. */
const withPrecondition = (name: FaultName): FaultName[] =>
  name.startsWith('read:') ? ['slides:cut', name] : [name]

/** One fault of each kind that costs attempts, in each stage. They never stop. */
const permanentFaults: FaultName[] = [
  'create:500',
  'create:reply-lost',
  'outlines:404',
  'outlines:error-500',
  'prepare:404',
  'prepare:model-401',
  'slides:404',
  'slides:500',
  'slides:cut',
  'update:500',
  'export:404',
  'export:runtime-failed',
  'export:path-outside',
  'file:500',
  'file:truncated',
]

describe.each([...shapes])('with upstream shape %s', (shape) => {
  let runner: FaultRunner
  beforeAll(async () => {
    runner = await openFaultRunner(shape)
  })
  afterAll(() => runner.close())

  const names = quickFaults(shape)
  const rejected = names.filter((name) => effectOf(name, shape) === 'rejected')
  const temporary = names.filter(
    (name) => effectOf(name, shape) !== 'rejected' && !isLoginFault(name, shape),
  )
  const readFaults = temporary.filter((name) => operationOf(name) === 'read')
  const combinations = combineFaults(
    temporary.filter((name) => !readFaults.includes(name)),
    shape,
  )
  const permanent = permanentFaults.filter((name) => names.includes(name))

  test.each(rejected.map((name) => ({ name })))('fails the run at once: $name', ({ name }) =>
    runner.runWithFaults(withPrecondition(name)),
  )

  test.each(readFaults.map((name) => ({ name })))(
    'recovers the slides, or generates them again, after $name',
    ({ name }) => runner.runWithFaults(withPrecondition(name)),
  )

  test.each(permanent.map((name) => ({ name })))(
    'fails the run after the last attempt: $name',
    ({ name }) => runner.runWithFaults([name], Number.POSITIVE_INFINITY),
  )

  test.each(combinations.map((names) => ({ names })))(
    'completes the run after $names',
    ({ names }) => runner.runWithFaults(names),
  )
})
