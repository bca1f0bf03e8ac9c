// Cancel, retry and outline approval. Every command is sent to a replica without a worker, so it
// must take effect on another replica. A retry continues from the last checkpoint.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../sandbox/wait-for.ts'
import { holdInStage, reachState, releaseStage, runningStages } from './presentation-states.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
/** URL of a replica without a worker. */
let other: string
beforeAll(async () => {
  world = await openWorld({ env: { MAX_RUNNING_PER_USER: '1' } })
  other = (await world.openReplica({ WORKER: 'false' })).url
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const post = (user: User, id: string, command: string, baseUrl = other) =>
  user.api(`/presentations/${id}/${command}`, { method: 'POST', baseUrl })

/** Paid upstream calls of a run that is cancelled in the stage, retried and completed. */
const spendAfterRetry = {
  create: { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 },
  outlines: { outlines: 2, prepares: 1, slideStreams: 1, exports: 1 },
  prepare: { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 },
  // A second slides attempt needs a fresh deck, which must be prepared.
  slides: { outlines: 1, prepares: 2, slideStreams: 2, exports: 1 },
  export: { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 },
  store: { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 },
}

const stages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']

/** The stages that the retried run starts. */
const stagesOfRetry: Record<string, string[]> = {
  ...Object.fromEntries(stages.map((stage, index) => [stage, stages.slice(index)])),
  slides: ['create', 'prepare', 'slides', 'export', 'store'],
}

test.each(runningStages)(
  'cancelling in %s aborts the upstream request, and a retry continues there',
  async (stage) => {
    const user = await world.createUser()
    const before = { ...world.presenton.spend }
    const { id } = await holdInStage(world, user, stage)
    const call = world.presenton.journal.at(-1)!
    const reader = await user.subscribe(id, { baseUrl: other })

    expect(await post(user, id, 'cancel')).toMatchObject({
      status: 202,
      body: { status: 'cancelled', error: { code: 'CANCELLED', retryable: true } },
    })
    await waitFor(() => expect(call.aborted).toBe(true))

    const first = await reader.rest()
    expect(first.at(-1)?.data).toMatchObject({ type: 'error', code: 'CANCELLED', run: 1 })
    expect(await reader.ended).toBe('clean')
    expect(first.map((event) => event.id)).toEqual(first.map((_, index) => index + 1))
    releaseStage(world, stage)

    expect(await post(user, id, 'retry')).toMatchObject({
      status: 202,
      body: { status: 'queued', run: 2, progress: 0, error: null },
    })
    expect(await user.waitUntilSettled(id, other)).toMatchObject({
      status: 'completed',
      run: 2,
      progress: 1,
      slides_done: 3,
    })
    const spent = Object.entries(world.presenton.spend).map(([kind, n]) => [
      kind,
      n - before[kind as keyof typeof before],
    ])
    expect(Object.fromEntries(spent)).toEqual(spendAfterRetry[stage])

    // Both runs share one log. A resumed subscriber gets the new events; a new subscriber gets both
    // runs without the first run's terminal event.
    const second = await (
      await user.subscribe(id, { lastEventId: first.length, baseUrl: other })
    ).rest()
    expect(second[0]).toMatchObject({ id: first.length + 1, data: { type: 'queued', run: 2 } })
    expect(second.every(({ data }) => data.run === 2)).toBe(true)
    const started = second.filter(({ data }) => data.type === 'stage').map(({ data }) => data.stage)
    expect(started).toEqual(stagesOfRetry[stage])
    expect(second.filter(({ data }) => ['complete', 'error'].includes(data.type))).toEqual([
      second.at(-1),
    ])
    const whole = await (await user.subscribe(id)).rest()
    expect(whole).toEqual(
      [...first.slice(0, -1), ...second].map((event) => expect.objectContaining({ id: event.id })),
    )
  },
)

test('a cancel followed at once by a retry still aborts the upstream request of the first run', async () => {
  const user = await world.createUser()
  const { id } = await holdInStage(world, user, 'slides')
  const call = world.presenton.journal.at(-1)!
  await post(user, id, 'cancel')
  await post(user, id, 'retry')
  await waitFor(() => expect(call.aborted).toBe(true))
  releaseStage(world, 'slides')
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 2 })
})

test('a replica that claims its own run again aborts the upstream request of the first claim', async () => {
  const [user, otherUser] = [await world.createUser(), await world.createUser()]
  const { id } = await holdInStage(world, user, 'slides')
  const call = world.presenton.journal.at(-1)!
  // The same state as after a cancel and a retry that arrive before the cancel notification.
  await world.query(
    'update gateway.leases set token = null, expires_at = null where presentation_id = $1',
    [id],
  )
  const { id: next } = await otherUser.submit()
  await waitFor(() => expect(call.aborted).toBe(true))
  releaseStage(world, 'slides')
  for (const settled of [user.waitUntilSettled(id), otherUser.waitUntilSettled(next)])
    expect(await settled).toMatchObject({ status: 'completed', run: 1 })
})

test('a presentation that is cancelled in the queue never starts', async () => {
  const user = await world.createUser()
  const { id } = await reachState(world, user, 'queued')
  expect(await post(user, id, 'cancel')).toMatchObject({
    status: 202,
    body: { status: 'cancelled', queue_position: null, started_at: null },
  })
  const log = await (await user.subscribe(id)).rest()
  expect(log.map(({ data }) => data.type)).toEqual(['queued', 'error'])
})

/** Accepts a brief with outline review and returns the id once its outlines await approval. */
async function awaitOutlines(user: User, options: object = {}): Promise<string> {
  const { id } = await user.submit({ ...brief, review_outlines: true, ...options })
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'awaiting_outlines',
    stage: null,
  })
  return id
}

const approve = (user: User, id: string, body?: object | string, baseUrl = other) =>
  user.api(`/presentations/${id}/outlines`, { method: 'PUT', body, baseUrl })

test.each([undefined, {}, '', { title: 'Our quarter' }])(
  'approving with %j keeps the proposed outlines',
  async (body) => {
    const user = await world.createUser()
    const id = await awaitOutlines(user)
    const { body: proposed } = await user.api(`/presentations/${id}/outlines`)
    expect(proposed).toEqual({
      outlines: [expect.any(String), expect.any(String), expect.any(String)],
      title: expect.any(String),
    })
    const approved = await approve(user, id, body, world.url)
    const title = typeof body === 'object' && 'title' in body ? body.title : proposed.title
    expect(approved).toMatchObject({
      status: 202,
      body: { status: 'queued', stage: 'prepare', n_slides: 3, title, run: 1 },
    })
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 1, title })
    const log = await (await user.subscribe(id)).rest()
    const outlines = log
      .filter(({ data }) => data.type === 'outlines')
      .map(({ data }) => ({ outlines: data.outlines, title: data.title }))
    expect(outlines).toEqual([proposed, { ...proposed, title }])
    expect(log.filter(({ data }) => data.type === 'awaiting_outlines')).toHaveLength(1)
    expect(
      log.filter(({ data }) => data.type === 'stage' && data.stage === 'outlines'),
    ).toHaveLength(1)
  },
)

test('approving with edited outlines sets the slides and their number', async () => {
  const user = await world.createUser()
  const id = await awaitOutlines(user)
  const outlines = ['# One\nfirst', '# Two\nsecond', '# Three\nthird', '# Four\nfourth']
  const approved = await approve(user, id, { outlines })
  expect(approved).toMatchObject({ status: 202, body: { n_slides: 4 } })
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'completed',
    slides_done: 4,
    n_slides: 4,
  })
  expect((await user.api(`/presentations/${id}/outlines`)).body.outlines).toEqual(outlines)
})

test('returns 400 for outlines that a brief could not have, and keeps waiting for approval', async () => {
  const user = await world.createUser()
  const id = await awaitOutlines(user, { include_table_of_contents: true })
  const invalid = [
    { outlines: [] },
    { outlines: Array(21).fill('a') },
    { outlines: [''] },
    { outlines: [' '] },
    { outlines: ['x'.repeat(10_001)] },
    { outlines: ['a\u0000'] },
    { outlines: 'a' },
    { outlines: null },
    { title: 'x'.repeat(201) },
    { title: 7 },
    { title: 'a\u0007' },
    // A table of contents needs at least three slides.
    { outlines: ['a', 'b'] },
    { other: 1 },
    { outlines: ['a', 'b', 'c'], other: 1 },
    [],
    'null',
    '"text"',
  ]
  for (const body of invalid)
    expect(await approve(user, id, body), JSON.stringify(body).slice(0, 60)).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    })
  expect(await approve(user, id, { outlines: ['a', 'b', '\u2003'] })).toMatchObject({
    body: { errors: [{ path: '/outlines/2', message: 'must not be blank' }] },
  })
  expect(await user.read(id)).toMatchObject({ status: 'awaiting_outlines' })
  await post(user, id, 'cancel')
})

test('a run without approval fails after the review period, and a retry waits again at no cost', async () => {
  const user = await world.createUser()
  const before = world.presenton.spend.outlines
  const id = await awaitOutlines(user)
  const reader = await user.subscribe(id)
  await world.query(
    `update gateway.presentations set review_expires_at = now() - interval '1 second' where id = $1`,
    [id],
  )
  // A worker looks for expired reviews when it starts.
  const replica = await world.openReplica()
  expect((await reader.rest()).at(-1)?.data).toMatchObject({
    type: 'error',
    code: 'REVIEW_EXPIRED',
    run: 1,
  })
  expect(await user.read(id)).toMatchObject({ status: 'failed', error: { code: 'REVIEW_EXPIRED' } })
  expect(await approve(user, id)).toMatchObject({ status: 409 })
  expect(await post(user, id, 'retry')).toMatchObject({ status: 202 })
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'awaiting_outlines', run: 2 })
  expect(await approve(user, id)).toMatchObject({ status: 202 })
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 2 })
  expect(world.presenton.spend.outlines - before).toBe(1)
  await world.closeReplica(replica)
})

test('a full queue refuses a retry and a brief with 429, but never an approval', async () => {
  const smallQueue = (await world.openReplica({ WORKER: 'false', MAX_QUEUED_PER_USER: '1' })).url
  const user = await world.createUser()
  const [waiting, cancelled] = [await awaitOutlines(user), await awaitOutlines(user)]
  await post(user, cancelled, 'cancel')
  const { id: queued } = await reachState(world, user, 'queued')
  for (const refused of [
    await user.post(brief, {}, smallQueue),
    await post(user, cancelled, 'retry', smallQueue),
  ]) {
    expect(refused).toMatchObject({ status: 429, body: { code: 'QUEUE_FULL' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  expect(await approve(user, waiting, undefined, smallQueue)).toMatchObject({
    status: 202,
    body: { queue_position: 2 },
  })
  releaseStage(world, 'create')
  for (const id of [queued, waiting])
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
})
