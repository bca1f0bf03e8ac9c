// Runs that their owner ends and begins again: cancelled in every stage, from another replica than
// the one that works on it, and retried from where they stood; and outlines that wait for their
// owner.

import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { holdInStage, reachState, releaseStage, runningStages } from './presentation-states.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
/** A replica that works on nothing. */
let other: string
beforeAll(async () => {
  world = await openWorld({ env: { MAX_RUNNING_PER_USER: '1' } })
  other = (await world.openReplica({ WORKER: 'false' })).url
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const act = (user: User, id: string, what: string, at = other) =>
  user.api(`/presentations/${id}/${what}`, { method: 'POST', at })

/** What a run pays for that is cancelled in a stage and then goes on to its end. */
const paid = {
  create: { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 },
  outlines: { outlines: 2, prepares: 1, slideStreams: 1, exports: 1 },
  prepare: { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 },
  // A stream that was begun needs a fresh deck, and that has to be prepared.
  slides: { outlines: 1, prepares: 2, slideStreams: 2, exports: 1 },
  export: { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 },
  store: { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 },
}

const stages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']

/** The stages of the run that goes on. */
const stagesAfter: Record<string, string[]> = {
  ...Object.fromEntries(stages.map((stage, index) => [stage, stages.slice(index)])),
  slides: ['create', 'prepare', 'slides', 'export', 'store'],
}

test.each(runningStages)(
  'cancelled in %s, upstream is left within a second, and a retry goes on from there',
  async (stage) => {
    const user = await world.user()
    const before = { ...world.presenton.spend }
    const { id } = await holdInStage(world, user, stage)
    const call = world.presenton.journal.at(-1)!
    const reader = await user.follow(id, { at: other })

    const startedMs = performance.now()
    const answer = await act(user, id, 'cancel')
    expect(answer).toMatchObject({
      status: 202,
      body: { status: 'cancelled', error: { code: 'CANCELLED', retryable: true } },
    })
    await vi.waitFor(() => expect(call.aborted).toBe(true), { timeout: 1_000, interval: 5 })
    expect(performance.now() - startedMs).toBeLessThan(1_000)

    const first = await reader.rest()
    expect(first.at(-1)?.data).toMatchObject({ type: 'error', code: 'CANCELLED', run: 1 })
    expect(await reader.ended).toBe('clean')
    expect(first.map((event) => event.id)).toEqual(first.map((_, index) => index + 1))
    releaseStage(world, stage)

    expect(await act(user, id, 'retry')).toMatchObject({
      status: 202,
      body: { status: 'queued', run: 2, progress: 0, error: null },
    })
    expect(await user.settled(id, other)).toMatchObject({
      status: 'completed',
      run: 2,
      progress: 1,
      slides_done: 3,
    })
    const spent = Object.entries(world.presenton.spend).map(([kind, n]) => [
      kind,
      n - before[kind as keyof typeof before],
    ])
    expect(Object.fromEntries(spent)).toEqual(paid[stage])

    // One log: whoever was there sees what is new, whoever comes now sees both runs but for the end
    // of the first.
    const second = await (await user.follow(id, { lastEventId: first.length, at: other })).rest()
    expect(second[0]).toMatchObject({ id: first.length + 1, data: { type: 'queued', run: 2 } })
    expect(second.every(({ data }) => data.run === 2)).toBe(true)
    const begun = second.filter(({ data }) => data.type === 'stage').map(({ data }) => data.stage)
    expect(begun).toEqual(stagesAfter[stage])
    expect(second.filter(({ data }) => ['complete', 'error'].includes(data.type))).toEqual([
      second.at(-1),
    ])
    const whole = await (await user.follow(id)).rest()
    expect(whole).toEqual(
      [...first.slice(0, -1), ...second].map((event) => expect.objectContaining({ id: event.id })),
    )
  },
)

test('cancelled and retried at once, the first run leaves upstream all the same', async () => {
  const user = await world.user()
  const { id } = await holdInStage(world, user, 'slides')
  const call = world.presenton.journal.at(-1)!
  await act(user, id, 'cancel')
  await act(user, id, 'retry')
  await vi.waitFor(() => expect(call.aborted).toBe(true), { timeout: 1_000, interval: 5 })
  releaseStage(world, 'slides')
  expect(await user.settled(id)).toMatchObject({ status: 'completed', run: 2 })
})

test('a run that the same replica claims anew leaves upstream where it was before', async () => {
  const [user, another] = [await world.user(), await world.user()]
  const { id } = await holdInStage(world, user, 'slides')
  const call = world.presenton.journal.at(-1)!
  // As after a cancel and a retry that came faster than word of the first.
  await world.query(
    'update gateway.leases set token = null, expires_at = null where presentation_id = $1',
    [id],
  )
  const { id: next } = await another.accept()
  await vi.waitFor(() => expect(call.aborted).toBe(true), { timeout: 1_000, interval: 5 })
  releaseStage(world, 'slides')
  for (const one of [user.settled(id), another.settled(next)])
    expect(await one).toMatchObject({ status: 'completed', run: 1 })
})

test('a queued one that is cancelled never begins', async () => {
  const user = await world.user()
  const { id } = await reachState(world, user, 'queued')
  expect(await act(user, id, 'cancel')).toMatchObject({
    status: 202,
    body: { status: 'cancelled', queue_position: null, started_at: null },
  })
  const log = await (await user.follow(id)).rest()
  expect(log.map(({ data }) => data.type)).toEqual(['queued', 'error'])
})

async function awaiting(user: User, more: object = {}): Promise<string> {
  const { id } = await user.accept({ ...brief, review_outlines: true, ...more })
  expect(await user.settled(id)).toMatchObject({ status: 'awaiting_outlines', stage: null })
  return id
}

const approve = (user: User, id: string, body?: object | string, at = other) =>
  user.api(`/presentations/${id}/outlines`, { method: 'PUT', body, at })

test.each([undefined, {}, '', { title: 'Our quarter' }])(
  'approved with %j, the outlines are as they were',
  async (body) => {
    const user = await world.user()
    const id = await awaiting(user)
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
    expect(await user.settled(id)).toMatchObject({ status: 'completed', run: 1, title })
    const log = await (await user.follow(id)).rest()
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

test('other outlines make other slides, and as many as they are', async () => {
  const user = await world.user()
  const id = await awaiting(user)
  const outlines = ['# One\nfirst', '# Two\nsecond', '# Three\nthird', '# Four\nfourth']
  const approved = await approve(user, id, { outlines })
  expect(approved).toMatchObject({ status: 202, body: { n_slides: 4 } })
  expect(await user.settled(id)).toMatchObject({ status: 'completed', slides_done: 4, n_slides: 4 })
  expect((await user.api(`/presentations/${id}/outlines`)).body.outlines).toEqual(outlines)
})

test('outlines that no brief may have are refused, and it waits on', async () => {
  const user = await world.user()
  const id = await awaiting(user, { include_table_of_contents: true })
  const one = 'x'.repeat(10_001)
  const bad = [
    ...[
      { outlines: [] },
      { outlines: Array(21).fill('a') },
      { outlines: [''] },
      { outlines: [' '] },
      { outlines: [one] },
    ],
    ...[
      { outlines: ['a\u0000'] },
      { outlines: 'a' },
      { outlines: null },
      { title: 'x'.repeat(201) },
      { title: 7 },
      { title: 'a\u0007' },
    ],
    // Two slides hold no table of contents.
    ...[
      { outlines: ['a', 'b'] },
      { other: 1 },
      { outlines: ['a', 'b', 'c'], other: 1 },
      [],
      'null',
      '"text"',
    ],
  ]
  for (const body of bad)
    expect(await approve(user, id, body), JSON.stringify(body).slice(0, 60)).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    })
  expect(await approve(user, id, { outlines: ['a', 'b', '\u2003'] })).toMatchObject({
    body: { errors: [{ path: '/outlines/2', message: 'must not be blank' }] },
  })
  expect(await user.read(id)).toMatchObject({ status: 'awaiting_outlines' })
  await act(user, id, 'cancel')
})

test('unapproved in time it fails, and a retry waits again, without paying again', async () => {
  const user = await world.user()
  const before = world.presenton.spend.outlines
  const id = await awaiting(user)
  const reader = await user.follow(id)
  await world.query(
    `update gateway.presentations set review_expires_at = now() - interval '1 second' where id = $1`,
    [id],
  )
  // A worker looks for such runs when it begins.
  const late = await world.openReplica()
  expect((await reader.rest()).at(-1)?.data).toMatchObject({
    type: 'error',
    code: 'REVIEW_EXPIRED',
    run: 1,
  })
  expect(await user.read(id)).toMatchObject({ status: 'failed', error: { code: 'REVIEW_EXPIRED' } })
  expect(await approve(user, id)).toMatchObject({ status: 409 })
  expect(await act(user, id, 'retry')).toMatchObject({ status: 202 })
  expect(await user.settled(id)).toMatchObject({ status: 'awaiting_outlines', run: 2 })
  expect(await approve(user, id)).toMatchObject({ status: 202 })
  expect(await user.settled(id)).toMatchObject({ status: 'completed', run: 2 })
  expect(world.presenton.spend.outlines - before).toBe(1)
  await world.closeReplica(late)
})

test('an approval is never refused for a full queue; a retry and a brief are', async () => {
  const tight = (await world.openReplica({ WORKER: 'false', MAX_QUEUED_PER_USER: '1' })).url
  const user = await world.user()
  const [waiting, cancelled] = [await awaiting(user), await awaiting(user)]
  await act(user, cancelled, 'cancel')
  const { id: queued } = await reachState(world, user, 'queued')
  for (const refused of [
    await user.post(brief, {}, tight),
    await act(user, cancelled, 'retry', tight),
  ]) {
    expect(refused).toMatchObject({ status: 429, body: { code: 'QUEUE_FULL' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  expect(await approve(user, waiting, undefined, tight)).toMatchObject({
    status: 202,
    body: { queue_position: 2 },
  })
  releaseStage(world, 'create')
  for (const id of [queued, waiting])
    expect(await user.settled(id)).toMatchObject({ status: 'completed' })
})
