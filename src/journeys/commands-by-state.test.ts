// What an owner may do in which state: the table of the README, tried cell by cell.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { reachState, type State, states } from './presentation-states.ts'
import type { Answer, Ask, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ env: { MAX_RUNNING_PER_USER: '1', MAX_RUNNING: '50' } })
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const post = (more: Partial<Ask> = {}): Ask => ({ method: 'POST', ...more })

const operations = {
  rename: ['', { method: 'PATCH', body: { title: 'Another name' } }],
  cancel: ['/cancel', post()],
  retry: ['/retry', post()],
  outlines: ['/outlines', {}],
  approve: ['/outlines', { method: 'PUT' }],
  export: ['/exports', post({ body: { format: 'pdf' } })],
  download: ['/download', {}],
  ticket: ['/ticket', post()],
  delete: ['', { method: 'DELETE' }],
} as const satisfies Record<string, [path: string, ask: Ask]>

type Operation = keyof typeof operations

/** Status, and the new status of the presentation or the code of the problem. */
type Cell = [status: number, word?: string]

const conflict: Cell = [409, 'CONFLICT']
const notReady: Cell = [409, 'NOT_READY']

/** What is the same in every state. */
const always = { ticket: [200], delete: [204] } as const satisfies Partial<Record<Operation, Cell>>

const running = {
  rename: [200, 'running'],
  cancel: [202, 'cancelled'],
  retry: conflict,
  approve: conflict,
  export: conflict,
} satisfies Partial<Record<Operation, Cell>>
const early = { ...always, ...running, outlines: notReady, download: notReady } satisfies Record<
  Operation,
  Cell
>
const late = { ...early, outlines: [200] } satisfies Record<Operation, Cell>
const ended = {
  ...always,
  outlines: [200],
  approve: conflict,
  download: notReady,
} satisfies Partial<Record<Operation, Cell>>

const table: Record<State, Record<Operation, Cell>> = {
  queued: { ...early, rename: [200, 'queued'] },
  'running create': early,
  'running outlines': early,
  'running prepare': late,
  'running slides': late,
  'running export': late,
  'running store': late,
  awaiting_outlines: { ...late, rename: [200, 'awaiting_outlines'], approve: [202, 'queued'] },
  completed: {
    ...ended,
    rename: [200, 'completed'],
    cancel: conflict,
    retry: conflict,
    export: [202, 'running'],
    download: [302],
  },
  failed: {
    ...ended,
    rename: [200, 'failed'],
    cancel: conflict,
    retry: [202, 'queued'],
    export: conflict,
  },
  cancelled: {
    ...ended,
    rename: [200, 'cancelled'],
    cancel: [202, 'cancelled'],
    retry: [202, 'queued'],
    export: conflict,
    outlines: notReady,
  },
  exporting: { ...late, cancel: [202, 'completed'], download: [302] },
}

/** Refused, only read, or the same again: the presentation stays in the state that it was in. */
const changesNothing = (state: State, [status, word]: Cell) =>
  status === 200 || status >= 300 || word === state

test.each(states)('%s: every operation is answered as the table says', async (state) => {
  const all = Object.keys(operations) as Operation[]
  const steady = all.filter((operation) => changesNothing(state, table[state][operation]))
  const changing = all.filter((operation) => !steady.includes(operation))

  const user = await world.user()
  const { id, status, run } = await reachState(world, user, state)
  for (const operation of steady) {
    await tryOut(user, id, operation, table[state][operation])
    expect(await user.read(id), operation).toMatchObject({ status, run })
  }
  for (const [index, operation] of changing.entries()) {
    // The first one may use what stands there already.
    const actor = index === 0 ? user : await world.user()
    const subject = index === 0 ? id : (await reachState(world, actor, state)).id
    await tryOut(actor, subject, operation, table[state][operation])
    if (operation === 'delete')
      expect(await actor.api(`/presentations/${subject}`)).toMatchObject({ status: 404 })
  }
})

async function tryOut(
  user: User,
  id: string,
  operation: Operation,
  [status, word]: Cell,
): Promise<Answer> {
  const [path, ask] = operations[operation]
  const answer = await user.api(`/presentations/${id}${path}`, ask)
  const said = status >= 400 ? answer.body.code : answer.body?.status
  expect({ operation, status: answer.status, ...(word && { word: said }) }).toEqual({
    operation,
    status,
    ...(word && { word }),
  })
  return answer
}
