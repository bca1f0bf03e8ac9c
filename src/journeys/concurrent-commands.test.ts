// Commands that race each other or a worker, on two replicas of one database: exactly one wins, and
// every run has one terminal event.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../sandbox/wait-for.ts'
import { holdInStage, reachState, releaseStage } from './presentation-states.ts'
import { type ApiResponse, brief, type RequestOptions, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let replicas: string[]
beforeAll(async () => {
  world = await openWorld({ replicas: 2, env: { MAX_RUNNING: '20', MAX_RUNNING_PER_USER: '20' } })
  replicas = world.gateways.map(({ url }) => url)
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const rounds = [0, 1, 2, 3, 4, 5]

/**
 * Sends a request (or one of two) to each replica at the same time. Odd rounds send to the second
 * replica first. Returns the responses in the order of the replicas.
 */
async function race(
  user: User,
  round: number,
  path: string,
  request: RequestOptions | [RequestOptions, RequestOptions],
): Promise<[ApiResponse, ApiResponse]> {
  const requests = Array.isArray(request) ? request : ([request, request] as const)
  const order = round % 2 ? [1, 0] : [0, 1]
  const sent = order.map(
    (index) => [index, user.api(path, { ...requests[index]!, baseUrl: replicas[index]! })] as const,
  )
  const responses = new Map(
    await Promise.all(sent.map(async ([index, response]) => [index, await response] as const)),
  )
  return [responses.get(0)!, responses.get(1)!]
}

const statuses = (responses: ApiResponse[]) => responses.map(({ status }) => status).sort()
const winner = (responses: ApiResponse[]) => responses.findIndex(({ status }) => status < 300)

/** Reads the log's rows, since subscribers do not get terminal events of earlier runs. */
async function readRows(id: string) {
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
  'cancel against completion, round %i: the run ends once, as the response says',
  async (round) => {
    const user = await world.createUser()
    const { id } = await holdInStage(world, user, 'store')
    if (round % 3 === 0) releaseStage(world, 'store')
    const cancelling = user.api(`/presentations/${id}/cancel`, {
      method: 'POST',
      baseUrl: replicas[round % 2]!,
    })
    releaseStage(world, 'store')
    const { status, body } = await cancelling
    const settled = await user.waitUntilSettled(id)
    if (status === 202) expect([body.status, settled.status]).toEqual(['cancelled', 'cancelled'])
    else expect([status, body.code, settled.status]).toEqual([409, 'CONFLICT', 'completed'])
    const ends = (await readRows(id)).filter(({ terminal }) => terminal)
    expect(ends).toMatchObject([
      { run: 1, type: settled.status === 'completed' ? 'complete' : 'error' },
    ])
  },
)

test('delete against claim: no row or deck is left of 20 presentations', async () => {
  const user = await world.createUser()
  const responses = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const { body } = await user.post(brief, {}, replicas[index % 2]!)
      return user.api(`/presentations/${body.id}`, {
        method: 'DELETE',
        baseUrl: replicas[(index >> 1) % 2]!,
      })
    }),
  )
  expect(statuses(responses)).toEqual(Array(20).fill(204))
  expect(
    await world.query('select 1 from gateway.presentations where user_id = $1', [user.sub]),
  ).toEqual([])
  await world.expectNoLeaks()
  for (const table of ['events', 'leases', 'files']) {
    const orphans = `select 1 from gateway.${table} t where not exists (select 1 from gateway.presentations p where p.id = t.presentation_id)`
    expect(await world.query(orphans), table).toEqual([])
  }
  // A worker may have created a deck before its claim was deleted. The clean-up removes such decks,
  // at the latest in its next periodic round.
  await waitFor(
    async () =>
      expect(
        await world.query('select 1 from gateway.decks where remove_after is not null'),
      ).toEqual([]),
    { timeout: 50_000 },
  )
}, 120_000)

test.each(rounds)('two approvals, round %i: one succeeds, the other gets 409', async (round) => {
  const user = await world.createUser()
  const { id } = await reachState(world, user, 'awaiting_outlines')
  const outlines = [
    ['# First', '# of two'],
    ['# Second', '# of', '# three'],
  ]
  const [first, second] = outlines.map((each) => ({ method: 'PUT', body: { outlines: each } }))
  const responses = await race(user, round, `/presentations/${id}/outlines`, [first!, second!])
  expect(statuses(responses)).toEqual([202, 409])
  const approved = outlines[winner(responses)]!
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'completed',
    slides_done: approved.length,
  })
  expect((await user.api(`/presentations/${id}/outlines`)).body.outlines).toEqual(approved)
  expect((await readRows(id)).filter(({ type }) => type === 'outlines')).toHaveLength(2)
})

test.each(rounds)(
  'retry against retry, round %i: one starts a run, the other gets 409',
  async (round) => {
    const user = await world.createUser()
    const { id } = await reachState(world, user, 'failed')
    const responses = await race(user, round, `/presentations/${id}/retry`, { method: 'POST' })
    expect(statuses(responses)).toEqual([202, 409])
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 2 })
    const events = await readRows(id)
    expect(events.filter(({ type }) => type === 'queued').map(({ run }) => run)).toEqual([1, 2])
    expect(
      events.filter(({ terminal }) => terminal).map(({ run, type }) => `${type} ${run}`),
    ).toEqual(['error 1', 'complete 2'])
  },
)

test('retries with one idempotency key start one run and get the same response', async () => {
  const user = await world.createUser()
  const { id } = await reachState(world, user, 'failed')
  const headers = { 'idempotency-key': 'again' }
  const responses = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      user.api(`/presentations/${id}/retry`, {
        method: 'POST',
        headers,
        baseUrl: replicas[index % 2]!,
      }),
    ),
  )
  for (const { status, body } of responses)
    expect({ status, body }).toEqual({ status: 202, body: responses[0]!.body })
  expect(
    responses.filter((response) => response.headers.get('idempotency-replayed') !== 'true'),
  ).toHaveLength(1)
  expect(await user.waitUntilSettled(id)).toMatchObject({ run: 2 })
  // The key belongs to the retry, so an export may not use it.
  const reused = await user.api(`/presentations/${id}/exports`, {
    method: 'POST',
    headers,
    body: { format: 'pdf' },
  })
  expect(reused).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
})

test.each(rounds)(
  'export against export, round %i: one runs; the other gets 409, or 202 with the same key',
  async (round) => {
    const user = await world.createUser()
    const { id } = await user.generate()
    const request = {
      method: 'POST',
      body: { format: 'pdf' },
      ...(round < 2 && { headers: { 'idempotency-key': 'one' } }),
    }
    // Without the gate the first export could end before the second request arrives.
    world.presenton.gates.hold('export:work')
    const responses = await race(user, round, `/presentations/${id}/exports`, request)
    world.presenton.gates.release('export:work')
    expect(statuses(responses)).toEqual(round < 2 ? [202, 202] : [202, 409])
    expect(await user.waitUntilSettled(id)).toMatchObject({
      status: 'completed',
      run: 2,
      files: [{}, {}],
    })
  },
)

test.each(rounds)(
  'cancel against cancel, round %i: both get 202, and the log has one terminal event',
  async (round) => {
    const user = await world.createUser()
    const { id } = await holdInStage(world, user, 'outlines')
    const responses = await race(user, round, `/presentations/${id}/cancel`, { method: 'POST' })
    expect(responses).toMatchObject([
      { status: 202, body: { status: 'cancelled' } },
      { status: 202, body: { status: 'cancelled' } },
    ])
    expect((await readRows(id)).filter(({ terminal }) => terminal)).toHaveLength(1)
  },
)

test.each(rounds)(
  'delete against delete and retry, round %i: the presentation is deleted in any order',
  async (round) => {
    const user = await world.createUser()
    const [first, second] = [
      await holdInStage(world, user, 'slides'),
      await reachState(world, user, 'failed'),
    ]
    const remove = { method: 'DELETE' }
    expect(statuses(await race(user, round, `/presentations/${first.id}`, remove))).toEqual([
      204, 404,
    ])
    const [removed, retried] = await Promise.all([
      user.api(`/presentations/${second.id}`, { ...remove, baseUrl: replicas[0]! }),
      user.api(`/presentations/${second.id}/retry`, { method: 'POST', baseUrl: replicas[1]! }),
    ])
    expect(removed.status).toBe(204)
    expect([202, 404]).toContain(retried.status)
    for (const { id } of [first, second])
      expect(await user.api(`/presentations/${id}`)).toMatchObject({ status: 404 })
  },
)
