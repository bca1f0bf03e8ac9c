// Owners and workers who act at the same moment, on two replicas of one database: exactly one of
// them wins, every run has one end.

import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { holdInStage, reachState, releaseStage } from './presentation-states.ts'
import { type Answer, type Ask, brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let replicas: string[]
beforeAll(async () => {
  world = await openWorld({ replicas: 2, env: { MAX_RUNNING: '20', MAX_RUNNING_PER_USER: '20' } })
  replicas = world.gateways.map(({ url }) => url)
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const rounds = [0, 1, 2, 3, 4, 5]

/** The same request on both replicas at once; the other one first in every second round. */
async function both(
  user: User,
  round: number,
  path: string,
  ask: Ask | [Ask, Ask],
): Promise<[Answer, Answer]> {
  const asks = Array.isArray(ask) ? ask : ([ask, ask] as const)
  const order = round % 2 ? [1, 0] : [0, 1]
  const sent = order.map(
    (index) => [index, user.api(path, { ...asks[index]!, at: replicas[index]! })] as const,
  )
  const answers = new Map(
    await Promise.all(sent.map(async ([index, answer]) => [index, await answer] as const)),
  )
  return [answers.get(0)!, answers.get(1)!]
}

const statuses = (answers: Answer[]) => answers.map(({ status }) => status).sort()
const won = (answers: Answer[]) => answers.findIndex(({ status }) => status < 300)

/** The rows of the log itself, since readers are not shown the ends of earlier runs. */
async function log(id: string) {
  const rows = await world.query<{ seq: string; run: number; terminal: boolean; data: string }>(
    'select seq, run, terminal, data from gateway.events where presentation_id = $1 order by seq',
    [id],
  )
  const events = rows.map(({ seq, run, terminal, data }) => ({
    seq: Number(seq),
    run,
    terminal,
    type: JSON.parse(data).type as string,
  }))
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  return events
}

test.each(rounds)(
  'cancel against complete, round %i: the run has one end, and the answer tells which',
  async (round) => {
    const user = await world.user()
    const { id } = await holdInStage(world, user, 'store')
    if (round % 3 === 0) releaseStage(world, 'store')
    const cancelling = user.api(`/presentations/${id}/cancel`, {
      method: 'POST',
      at: replicas[round % 2]!,
    })
    releaseStage(world, 'store')
    const { status, body } = await cancelling
    const settled = await user.settled(id)
    if (status === 202) expect([body.status, settled.status]).toEqual(['cancelled', 'cancelled'])
    else expect([status, body.code, settled.status]).toEqual([409, 'CONFLICT', 'completed'])
    const ends = (await log(id)).filter(({ terminal }) => terminal)
    expect(ends).toMatchObject([
      { run: 1, type: settled.status === 'completed' ? 'complete' : 'error' },
    ])
  },
)

test('delete against claim: nothing is left of twenty that were deleted as they were accepted', async () => {
  const user = await world.user()
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const { body } = await user.post(brief, {}, replicas[index % 2]!)
      return user.api(`/presentations/${body.id}`, {
        method: 'DELETE',
        at: replicas[(index >> 1) % 2]!,
      })
    }),
  )
  expect(statuses(answers)).toEqual(Array(20).fill(204))
  expect(
    await world.query('select 1 from gateway.presentations where user_id = $1', [user.sub]),
  ).toEqual([])
  await world.expectNothingLeft()
  for (const table of ['events', 'leases', 'files']) {
    const orphans = `select 1 from gateway.${table} t where not exists (select 1 from gateway.presentations p where p.id = t.presentation_id)`
    expect(await world.query(orphans), table).toEqual([])
  }
  // Decks that were made all the same are removed again; one that came after the round that the
  // delete began, in the next one.
  await vi.waitFor(
    async () =>
      expect(
        await world.query('select 1 from gateway.decks where remove_after is not null'),
      ).toEqual([]),
    { timeout: 50_000 },
  )
}, 60_000)

test.each(rounds)('two approvals, round %i: one counts, the other is a conflict', async (round) => {
  const user = await world.user()
  const { id } = await reachState(world, user, 'awaiting_outlines')
  const outlines = [
    ['# First', '# of two'],
    ['# Second', '# of', '# three'],
  ]
  const [one, other] = outlines.map((own) => ({ method: 'PUT', body: { outlines: own } }))
  const answers = await both(user, round, `/presentations/${id}/outlines`, [one!, other!])
  expect(statuses(answers)).toEqual([202, 409])
  const kept = outlines[won(answers)]!
  expect(await user.settled(id)).toMatchObject({ status: 'completed', slides_done: kept.length })
  expect((await user.api(`/presentations/${id}/outlines`)).body.outlines).toEqual(kept)
  expect((await log(id)).filter(({ type }) => type === 'outlines')).toHaveLength(2)
})

test.each(rounds)(
  'retry against retry, round %i: one begins a run, the other is a conflict',
  async (round) => {
    const user = await world.user()
    const { id } = await reachState(world, user, 'failed')
    const answers = await both(user, round, `/presentations/${id}/retry`, { method: 'POST' })
    expect(statuses(answers)).toEqual([202, 409])
    expect(await user.settled(id)).toMatchObject({ status: 'completed', run: 2 })
    const events = await log(id)
    expect(events.filter(({ type }) => type === 'queued').map(({ run }) => run)).toEqual([1, 2])
    expect(
      events.filter(({ terminal }) => terminal).map(({ run, type }) => `${type} ${run}`),
    ).toEqual(['error 1', 'complete 2'])
  },
)

test('retries with one key begin one run, and all get its answer', async () => {
  const user = await world.user()
  const { id } = await reachState(world, user, 'failed')
  const headers = { 'idempotency-key': 'again' }
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      user.api(`/presentations/${id}/retry`, { method: 'POST', headers, at: replicas[index % 2]! }),
    ),
  )
  for (const { status, body } of answers)
    expect({ status, body }).toEqual({ status: 202, body: answers[0]!.body })
  expect(
    answers.filter((answer) => answer.headers.get('idempotency-replayed') !== 'true'),
  ).toHaveLength(1)
  expect(await user.settled(id)).toMatchObject({ run: 2 })
  // The key was for this; for an export it is another request.
  const other = await user.api(`/presentations/${id}/exports`, {
    method: 'POST',
    headers,
    body: { format: 'pdf' },
  })
  expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
})

test.each(rounds)(
  'export against export, round %i: one runs, the other is a conflict; with one key both are one',
  async (round) => {
    const user = await world.user()
    const { id } = await user.make()
    const ask = {
      method: 'POST',
      body: { format: 'pdf' },
      ...(round < 2 && { headers: { 'idempotency-key': 'one' } }),
    }
    // Else the first may be through before the second arrives.
    world.presenton.gates.hold('export:work')
    const answers = await both(user, round, `/presentations/${id}/exports`, ask)
    world.presenton.gates.release('export:work')
    expect(statuses(answers)).toEqual(round < 2 ? [202, 202] : [202, 409])
    expect(await user.settled(id)).toMatchObject({ status: 'completed', run: 2, files: [{}, {}] })
  },
)

test.each(rounds)(
  'cancel against cancel, round %i: both are told that it is cancelled, and the log is told once',
  async (round) => {
    const user = await world.user()
    const { id } = await holdInStage(world, user, 'outlines')
    const answers = await both(user, round, `/presentations/${id}/cancel`, { method: 'POST' })
    expect(answers).toMatchObject([
      { status: 202, body: { status: 'cancelled' } },
      { status: 202, body: { status: 'cancelled' } },
    ])
    expect((await log(id)).filter(({ terminal }) => terminal)).toHaveLength(1)
  },
)

test.each(rounds)(
  'delete against what else there is, round %i: it is gone, whoever came first',
  async (round) => {
    const user = await world.user()
    const [first, second] = [
      await holdInStage(world, user, 'slides'),
      await reachState(world, user, 'failed'),
    ]
    const remove = { method: 'DELETE' }
    expect(statuses(await both(user, round, `/presentations/${first.id}`, remove))).toEqual([
      204, 404,
    ])
    const [removed, retried] = await Promise.all([
      user.api(`/presentations/${second.id}`, { ...remove, at: replicas[0]! }),
      user.api(`/presentations/${second.id}/retry`, { method: 'POST', at: replicas[1]! }),
    ])
    expect(removed.status).toBe(204)
    expect([202, 404]).toContain(retried.status)
    for (const { id } of [first, second])
      expect(await user.api(`/presentations/${id}`)).toMatchObject({ status: 404 })
  },
)
