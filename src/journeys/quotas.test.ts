// What each user may use: exact on three replicas at once, true about when to come back, and given
// back where nothing was paid for.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Gateway } from '../sandbox/gateway.ts'
import { holdInStage, reachState, releaseStage, type State } from './presentation-states.ts'
import { type Answer, brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
/**
 * Replicas that work on nothing and allow something else, by the variables that they were opened
 * with.
 */
let strict: Map<string, Gateway>
beforeAll(async () => {
  world = await openWorld({
    replicas: 3,
    env: { QUOTA_PER_HOUR: '5', QUOTA_PER_DAY: '8', MAX_RUNNING: '20', MAX_RUNNING_PER_USER: '1' },
  })
  strict = new Map()
  for (const name of ['QUOTA_TOTAL', 'QUOTA_TOTAL_SLIDES', 'QUOTA_SYSTEM_PER_DAY']) {
    strict.set(
      name,
      await world.openReplica({
        WORKER: 'false',
        QUOTA_PER_HOUR: '0',
        QUOTA_PER_DAY: '0',
        [name]: '7',
      }),
    )
  }
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const usage = async (user: User, at = world.url) => (await user.api('/usage', { at })).body
const used = async (user: User) => {
  const { per_hour, per_day, total, total_slides } = await usage(user)
  return [per_hour.used, per_day.used, total.used, total_slides.used]
}
const act = (user: User, id: string, what: string, method = 'POST') =>
  user.api(`/presentations/${id}${what}`, { method })
const pass = (user: User, seconds: number) =>
  world.query(
    `update gateway.ledger set accepted_at = accepted_at - $2 * interval '1 second' where user_id = $1`,
    [user.sub, seconds],
  )

function countCodes(answers: Answer[]) {
  const codes = answers.map(({ status, body }) =>
    status === 202 ? '202' : `${status} ${body.code}`,
  )
  return Object.fromEntries(
    [...new Set(codes)].map((code) => [code, codes.filter((one) => one === code).length]),
  )
}

test('with five left, fifty posts at once over three replicas are five; the others are told when to come back, truly', async () => {
  const user = await world.user()
  world.presenton.gates.hold('create')
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => user.post(brief, {}, world.gateways[n % 3]!.url)),
  )
  expect(countCodes(answers)).toEqual({ '202': 5, '429 QUOTA_EXCEEDED': 45 })
  expect((await user.api('/presentations')).body.items).toHaveLength(5)
  const waits = answers
    .filter(({ status }) => status === 429)
    .map(({ headers }) => Number(headers.get('retry-after')))
  for (const wait of waits) expect([3_595 < wait, wait <= 3_600]).toEqual([true, true])
  const { per_hour, per_day, total } = await usage(user)
  expect(per_hour).toEqual({
    limit: 5,
    used: 5,
    remaining: 0,
    resets_at: expect.stringMatching(/^\d{4}-.*Z$/),
  })
  expect(per_day).toMatchObject({ limit: 8, used: 5, remaining: 3 })
  expect(total).toEqual({ limit: null, used: 5, remaining: null, resets_at: null })

  await pass(user, Math.min(...waits) - 30)
  const late = await user.post()
  expect(late).toMatchObject({ status: 429 })
  await pass(user, Number(late.headers.get('retry-after')))
  // Now it is the day that ends: three are left of eight.
  const next = await Promise.all(
    Array.from({ length: 30 }, (_, n) => user.post(brief, {}, world.gateways[n % 3]!.url)),
  )
  expect(countCodes(next)).toEqual({ '202': 3, '429 QUOTA_EXCEEDED': 27 })
  expect(
    Number(next.find(({ status }) => status === 429)!.headers.get('retry-after')),
  ).toBeGreaterThan(80_000)
  for (const { body } of [...answers, ...next].filter(({ status }) => status === 202))
    await act(user, body.id, '', 'DELETE')
})

test('fifty posts at once with one key, over three replicas, make one row, one run, one answer, and count once', async () => {
  const user = await world.user()
  const headers = { 'idempotency-key': 'fifty' }
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => user.post(brief, headers, world.gateways[n % 3]!.url)),
  )
  for (const { status, body } of answers)
    expect({ status, body }).toEqual({ status: 202, body: answers[0]!.body })
  expect(
    answers.filter((answer) => answer.headers.get('idempotency-replayed') !== 'true'),
  ).toHaveLength(1)
  expect((await user.api('/presentations')).body.items).toHaveLength(1)
  expect((await usage(user)).per_hour.used).toBe(1)
  expect(await user.settled(answers[0]!.body.id)).toMatchObject({ status: 'completed', run: 1 })
  // What was refused under a key is asked anew.
  await world.query('update gateway.ledger set accepted_at = now() where user_id = $1', [user.sub])
  for (let n = 0; n < 4; n += 1) await user.accept()
  expect(await user.post(brief, { 'idempotency-key': 'refused' })).toMatchObject({ status: 429 })
  await pass(user, 3_600)
  const { body } = await user.post(brief, { 'idempotency-key': 'refused' })
  expect(body.status).toBe('queued')
  await user.settled(body.id)
})

test('totals count what is kept: deleting makes room, waiting does not', async () => {
  const user = await world.user()
  const { url } = strict.get('QUOTA_TOTAL')!
  const answers = await Promise.all(Array.from({ length: 20 }, () => user.post(brief, {}, url)))
  expect(countCodes(answers)).toEqual({ '202': 7, '402 QUOTA_EXHAUSTED': 13 })
  await pass(user, 90_000)
  const refused = await user.post(brief, {}, url)
  expect(refused).toMatchObject({ status: 402, body: { code: 'QUOTA_EXHAUSTED' } })
  expect(refused.headers.get('retry-after')).toBeNull()
  expect((await usage(user, url)).total).toEqual({
    limit: 7,
    used: 7,
    remaining: 0,
    resets_at: null,
  })
  const kept = answers.filter(({ status }) => status === 202).map(({ body }) => body.id as string)
  await act(user, kept.pop()!, '', 'DELETE')
  const { status, body } = await user.post(brief, {}, url)
  expect(status).toBe(202)
  for (const id of [...kept, body.id]) await act(user, id, '', 'DELETE')
})

test('slides are reserved as asked for, again as approved, and counted as made', async () => {
  const user = await world.user()
  const { url } = strict.get('QUOTA_TOTAL_SLIDES')!
  const { body } = await user.post({ ...brief, n_slides: 3, review_outlines: true }, {}, url)
  await user.settled(body.id)
  expect(await user.post({ ...brief, n_slides: 5 }, {}, url)).toMatchObject({ status: 402 })
  const outlines = (n: number) => ({
    method: 'PUT',
    at: url,
    body: { outlines: Array.from({ length: n }, (_, index) => `# Slide ${index}`) },
  })
  const path = `/presentations/${body.id}/outlines`
  expect(await user.api(path, outlines(8))).toMatchObject({
    status: 402,
    body: { code: 'QUOTA_EXHAUSTED' },
  })
  expect(await user.read(body.id)).toMatchObject({ status: 'awaiting_outlines', n_slides: 3 })
  expect(await user.api(path, outlines(6))).toMatchObject({ status: 202, body: { n_slides: 6 } })
  expect((await usage(user, url)).total_slides).toEqual({
    limit: 7,
    used: 6,
    remaining: 1,
    resets_at: null,
  })
  expect(await user.settled(body.id)).toMatchObject({ status: 'completed', slides_done: 6 })
  expect((await usage(user, url)).total_slides.used).toBe(6)
  await act(user, body.id, '', 'DELETE')
  expect((await usage(user, url)).total_slides.used).toBe(0)
})

test('the whole installation has a bound of its own', async () => {
  await world.query('truncate gateway.ledger')
  const users = await Promise.all(Array.from({ length: 5 }, () => world.user()))
  const { url } = strict.get('QUOTA_SYSTEM_PER_DAY')!
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => users[n % 5]!.post(brief, {}, url)),
  )
  expect(countCodes(answers)).toEqual({ '202': 7, '429 QUOTA_EXCEEDED': 13 })
  const sent = answers.map(({ status, body }, n) =>
    status === 202 ? users[n % 5]!.settled(body.id) : undefined,
  )
  await Promise.all(sent)
})

const given: [state: State, then: string, counts: number[]][] = [
  ['queued', '/cancel', [0, 0, 0, 0]],
  ['running create', '/cancel', [0, 0, 0, 0]],
  ['running outlines', '/cancel', [1, 1, 1, 3]],
  ['running slides', '/cancel', [1, 1, 1, 3]],
  ['queued', 'DELETE', [0, 0, 0, 0]],
  ['running create', 'DELETE', [0, 0, 0, 0]],
  ['running outlines', 'DELETE', [1, 1, 0, 0]],
  ['awaiting_outlines', '/cancel', [1, 1, 1, 3]],
  ['completed', 'DELETE', [1, 1, 0, 0]],
  ['failed', 'DELETE', [0, 0, 0, 0]],
]

test.each(given)(
  '%s, then %s: what still counts in an hour, a day, in all, and of slides, is %j',
  async (state, then, counts) => {
    const user = await world.user()
    const { id } = await reachState(world, user, state)
    // One that is queued waits behind another one.
    const others = state === 'queued' ? [1, 1, 1, 3] : [0, 0, 0, 0]
    if (state !== 'failed')
      expect(await used(user)).toEqual([1, 1, 1, 3].map((n, index) => n + others[index]!))
    await (then === 'DELETE' ? act(user, id, '', 'DELETE') : act(user, id, then))
    expect(await used(user)).toEqual(counts.map((n, index) => n + others[index]!))
  },
)

test('a run that fails without a slide is given back, one that failed with some counts those; a retry reserves again', async () => {
  const user = await world.user()
  const { id } = await reachState(world, user, 'failed')
  expect(await used(user)).toEqual([0, 0, 0, 0])
  world.presenton.faults.inject('slides:cut', { at: 3, times: 2 })
  expect(await act(user, id, '/retry')).toMatchObject({ status: 202 })
  expect(await used(user)).toEqual([1, 1, 1, 3])
  const failed = await user.settled(id)
  expect(failed).toMatchObject({ status: 'failed', slides_done: 2 })
  expect(await used(user)).toEqual([1, 1, 1, 2])
  // That one was not given back: only the slides that it had not made are reserved again.
  expect(await act(user, id, '/retry')).toMatchObject({ status: 202 })
  expect(await used(user)).toEqual([1, 1, 1, 3])
  expect(await user.settled(id)).toMatchObject({ status: 'completed', run: 3 })
  expect(await used(user)).toEqual([1, 1, 1, 3])
})

test('a retry of what was given back needs room like a new one', async () => {
  const user = await world.user()
  const { id } = await reachState(world, user, 'failed')
  const held = await holdInStage(world, user, 'outlines')
  for (let n = 0; n < 4; n += 1) await user.accept()
  const refused = await act(user, id, '/retry')
  expect(refused).toMatchObject({ status: 429, body: { code: 'QUOTA_EXCEEDED' } })
  expect(await user.read(id)).toMatchObject({ status: 'failed', run: 1 })
  await pass(user, Number(refused.headers.get('retry-after')))
  expect(await act(user, id, '/retry')).toMatchObject({ status: 202 })
  releaseStage(world, 'outlines')
  for (const one of [held.id, id])
    expect(await user.settled(one)).toMatchObject({ status: 'completed' })
})
