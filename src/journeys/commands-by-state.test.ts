// The commands an owner may run in each state: every cell of the table in docs/api.md is tested.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { reachState, type State, states } from './presentation-states.ts'
import type { RequestOptions, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ env: { MAX_RUNNING_PER_USER: '1', MAX_RUNNING: '50' } })
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const post = (options: Partial<RequestOptions> = {}): RequestOptions => ({
  method: 'POST',
  ...options,
})

const operations = {
  rename: ['', { method: 'PATCH', body: { title: 'New title' } }],
  cancel: ['/cancel', post()],
  retry: ['/retry', post()],
  outlines: ['/outlines', {}],
  approve: ['/outlines', { method: 'PUT' }],
  export: ['/exports', post({ body: { format: 'pdf' } })],
  download: ['/download', {}],
  ticket: ['/ticket', post()],
  delete: ['', { method: 'DELETE' }],
} as const satisfies Record<string, [path: string, request: RequestOptions]>

type Operation = keyof typeof operations

/** HTTP status, then the new status of the presentation or the problem code. */
type Cell = [status: number, outcome?: string]

const conflict: Cell = [409, 'CONFLICT']
const notReady: Cell = [409, 'NOT_READY']

/** Commands with the same result in every state. */
const inEveryState = { ticket: [200], delete: [204] } as const satisfies Partial<
  Record<Operation, Cell>
>

const running = {
  rename: [200, 'running'],
  cancel: [202, 'cancelled'],
  retry: conflict,
  approve: conflict,
  export: conflict,
} satisfies Partial<Record<Operation, Cell>>
const beforeOutlines = {
  ...inEveryState,
  ...running,
  outlines: notReady,
  download: notReady,
} satisfies Record<Operation, Cell>
const afterOutlines = { ...beforeOutlines, outlines: [200] } satisfies Record<Operation, Cell>
const ended = {
  ...inEveryState,
  outlines: [200],
  approve: conflict,
  download: notReady,
} satisfies Partial<Record<Operation, Cell>>

const table: Record<State, Record<Operation, Cell>> = {
  queued: { ...beforeOutlines, rename: [200, 'queued'] },
  'running create': beforeOutlines,
  'running outlines': beforeOutlines,
  'running prepare': afterOutlines,
  'running slides': afterOutlines,
  'running export': afterOutlines,
  'running store': afterOutlines,
  awaiting_outlines: {
    ...afterOutlines,
    rename: [200, 'awaiting_outlines'],
    approve: [202, 'queued'],
  },
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
  exporting: { ...afterOutlines, cancel: [202, 'completed'], download: [302] },
  // The call finishes first, and the deck is restored.
  editing: { ...afterOutlines, cancel: [202, 'running'], download: [302] },
}

/** A refusal, a read or a repeated command leaves the presentation in its state. */
const keepsState = (state: State, [status, outcome]: Cell) =>
  status === 200 || status >= 300 || outcome === state

test.each(states)('in state %s every operation returns what the table says', async (state) => {
  const all = Object.keys(operations) as Operation[]
  const keeping = all.filter((operation) => keepsState(state, table[state][operation]))
  const changing = all.filter((operation) => !keeping.includes(operation))

  const user = await world.createUser()
  const { id, status, run } = await reachState(world, user, state)
  for (const operation of keeping) {
    await expectOutcome(user, id, operation, table[state][operation])
    expect(await user.read(id), operation).toMatchObject({ status, run })
  }
  for (const [index, operation] of changing.entries()) {
    // The first operation can use the presentation that is already in the state.
    const actor = index === 0 ? user : await world.createUser()
    const subject = index === 0 ? id : (await reachState(world, actor, state)).id
    await expectOutcome(actor, subject, operation, table[state][operation])
    if (operation === 'delete')
      expect(await actor.api(`/presentations/${subject}`)).toMatchObject({ status: 404 })
  }
})

async function expectOutcome(
  user: User,
  id: string,
  operation: Operation,
  [status, outcome]: Cell,
): Promise<void> {
  const [path, request] = operations[operation]
  const response = await user.api(`/presentations/${id}${path}`, request)
  const actual = status >= 400 ? response.body.code : response.body?.status
  expect({ operation, status: response.status, ...(outcome && { outcome: actual }) }).toEqual({
    operation,
    status,
    ...(outcome && { outcome }),
  })
}
