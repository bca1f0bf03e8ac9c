// Quotas: exact over three replicas, with a true `Retry-After`, and released where nothing was paid
// for.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Gateway } from '../sandbox/gateway.ts'
import { holdInStage, reachState, releaseStage, type State } from './presentation-states.ts'
import { type ApiResponse, brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
/** Replicas without a worker and with one limit of 7, by the variable that sets the limit. */
let limited: Map<string, Gateway>
beforeAll(async () => {
  world = await openWorld({
    replicas: 3,
    env: { QUOTA_PER_HOUR: '5', QUOTA_PER_DAY: '8', MAX_RUNNING: '20', MAX_RUNNING_PER_USER: '1' },
  })
  limited = new Map()
  for (const name of ['QUOTA_TOTAL', 'QUOTA_TOTAL_SLIDES', 'QUOTA_SYSTEM_PER_DAY']) {
    limited.set(
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
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const usage = async (user: User, baseUrl = world.url) =>
  (await user.api('/usage', { baseUrl })).body
const used = async (user: User) => {
  const { per_hour, per_day, total, total_slides } = await usage(user)
  return [per_hour.used, per_day.used, total.used, total_slides.used]
}
const post = (user: User, id: string, command: string) =>
  user.api(`/presentations/${id}${command}`, { method: 'POST' })
const remove = (user: User, id: string) => user.api(`/presentations/${id}`, { method: 'DELETE' })
/** Makes the user's usage this much older. */
const advanceClock = (user: User, seconds: number) =>
  world.query(
    `update gateway.ledger set accepted_at = accepted_at - $2 * interval '1 second' where user_id = $1`,
    [user.sub, seconds],
  )

/** The number of responses by status and problem code. */
function countOutcomes(responses: ApiResponse[]) {
  const outcomes = responses.map(({ status, body }) =>
    status === 202 ? '202' : `${status} ${body.code}`,
  )
  return Object.fromEntries(
    [...new Set(outcomes)].map((outcome) => [
      outcome,
      outcomes.filter((other) => other === outcome).length,
    ]),
  )
}

test('accepts 5 of 50 concurrent posts under a quota of 5, and one more after `Retry-After`', async () => {
  const user = await world.createUser()
  world.presenton.gates.hold('create')
  const responses = await Promise.all(
    Array.from({ length: 50 }, (_, n) => user.post(brief, {}, world.gateways[n % 3]!.url)),
  )
  expect(countOutcomes(responses)).toEqual({ '202': 5, '429 QUOTA_EXCEEDED': 45 })
  expect((await user.api('/presentations')).body.items).toHaveLength(5)
  const waits = responses
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

  await advanceClock(user, Math.min(...waits) - 30)
  const refused = await user.post()
  expect(refused).toMatchObject({ status: 429 })
  await advanceClock(user, Number(refused.headers.get('retry-after')))
  // The hourly quota is free again; the daily quota of 8 leaves 3.
  const next = await Promise.all(
    Array.from({ length: 30 }, (_, n) => user.post(brief, {}, world.gateways[n % 3]!.url)),
  )
  expect(countOutcomes(next)).toEqual({ '202': 3, '429 QUOTA_EXCEEDED': 27 })
  expect(
    Number(next.find(({ status }) => status === 429)!.headers.get('retry-after')),
  ).toBeGreaterThan(80_000)
  for (const { body } of [...responses, ...next].filter(({ status }) => status === 202))
    await remove(user, body.id)
})

test('50 concurrent posts with one key, over three replicas, create one presentation and count once', async () => {
  const user = await world.createUser()
  const headers = { 'idempotency-key': 'fifty' }
  const responses = await Promise.all(
    Array.from({ length: 50 }, (_, n) => user.post(brief, headers, world.gateways[n % 3]!.url)),
  )
  for (const { status, body } of responses)
    expect({ status, body }).toEqual({ status: 202, body: responses[0]!.body })
  expect(
    responses.filter((response) => response.headers.get('idempotency-replayed') !== 'true'),
  ).toHaveLength(1)
  expect((await user.api('/presentations')).body.items).toHaveLength(1)
  expect((await usage(user)).per_hour.used).toBe(1)
  expect(await user.waitUntilSettled(responses[0]!.body.id)).toMatchObject({
    status: 'completed',
    run: 1,
  })
  // A refused request does not use up its key.
  await world.query('update gateway.ledger set accepted_at = now() where user_id = $1', [user.sub])
  for (let n = 0; n < 4; n += 1) await user.submit()
  expect(await user.post(brief, { 'idempotency-key': 'refused' })).toMatchObject({ status: 429 })
  await advanceClock(user, 3_600)
  const { body } = await user.post(brief, { 'idempotency-key': 'refused' })
  expect(body.status).toBe('queued')
  await user.waitUntilSettled(body.id)
})

test('the total quota is freed by a delete, not by time', async () => {
  const user = await world.createUser()
  const { url } = limited.get('QUOTA_TOTAL')!
  const responses = await Promise.all(Array.from({ length: 20 }, () => user.post(brief, {}, url)))
  expect(countOutcomes(responses)).toEqual({ '202': 7, '402 QUOTA_EXHAUSTED': 13 })
  await advanceClock(user, 90_000)
  const refused = await user.post(brief, {}, url)
  expect(refused).toMatchObject({ status: 402, body: { code: 'QUOTA_EXHAUSTED' } })
  expect(refused.headers.get('retry-after')).toBeNull()
  expect((await usage(user, url)).total).toEqual({
    limit: 7,
    used: 7,
    remaining: 0,
    resets_at: null,
  })
  const accepted = responses
    .filter(({ status }) => status === 202)
    .map(({ body }) => body.id as string)
  await remove(user, accepted.pop()!)
  const { status, body } = await user.post(brief, {}, url)
  expect(status).toBe(202)
  for (const id of [...accepted, body.id]) await remove(user, id)
})

test('reserves the requested slides, then the approved ones, and counts the generated ones', async () => {
  const user = await world.createUser()
  const { url } = limited.get('QUOTA_TOTAL_SLIDES')!
  const { body } = await user.post({ ...brief, n_slides: 3, review_outlines: true }, {}, url)
  await user.waitUntilSettled(body.id)
  expect(await user.post({ ...brief, n_slides: 5 }, {}, url)).toMatchObject({ status: 402 })
  const approval = (n: number) => ({
    method: 'PUT',
    baseUrl: url,
    body: { outlines: Array.from({ length: n }, (_, index) => `# Slide ${index}`) },
  })
  const path = `/presentations/${body.id}/outlines`
  expect(await user.api(path, approval(8))).toMatchObject({
    status: 402,
    body: { code: 'QUOTA_EXHAUSTED' },
  })
  expect(await user.read(body.id)).toMatchObject({ status: 'awaiting_outlines', n_slides: 3 })
  expect(await user.api(path, approval(6))).toMatchObject({ status: 202, body: { n_slides: 6 } })
  expect((await usage(user, url)).total_slides).toEqual({
    limit: 7,
    used: 6,
    remaining: 1,
    resets_at: null,
  })
  expect(await user.waitUntilSettled(body.id)).toMatchObject({
    status: 'completed',
    slides_done: 6,
  })
  expect((await usage(user, url)).total_slides.used).toBe(6)
  await remove(user, body.id)
  expect((await usage(user, url)).total_slides.used).toBe(0)
})

test('limits all users together by the system quota', async () => {
  await world.query('truncate gateway.ledger')
  const users = await Promise.all(Array.from({ length: 5 }, () => world.createUser()))
  const { url } = limited.get('QUOTA_SYSTEM_PER_DAY')!
  const responses = await Promise.all(
    Array.from({ length: 20 }, (_, n) => users[n % 5]!.post(brief, {}, url)),
  )
  expect(countOutcomes(responses)).toEqual({ '202': 7, '429 QUOTA_EXCEEDED': 13 })
  await Promise.all(
    responses.map(({ status, body }, n) =>
      status === 202 ? users[n % 5]!.waitUntilSettled(body.id) : undefined,
    ),
  )
})

/** `counts`: usage per hour, per day, in total, and of slides. */
const usageAfterCommand: [state: State, command: string, counts: number[]][] = [
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

test.each(usageAfterCommand)(
  'in state %s, %s leaves a usage of %j (hour, day, total, slides)',
  async (state, command, counts) => {
    const user = await world.createUser()
    const { id } = await reachState(world, user, state)
    // A queued presentation waits behind another one, which counts too.
    const others = state === 'queued' ? [1, 1, 1, 3] : [0, 0, 0, 0]
    if (state !== 'failed')
      expect(await used(user)).toEqual([1, 1, 1, 3].map((n, index) => n + others[index]!))
    await (command === 'DELETE' ? remove(user, id) : post(user, id, command))
    expect(await used(user)).toEqual(counts.map((n, index) => n + others[index]!))
  },
)

test('a run that fails without slides is released, one with slides counts them, and a retry reserves again', async () => {
  const user = await world.createUser()
  const { id } = await reachState(world, user, 'failed')
  expect(await used(user)).toEqual([0, 0, 0, 0])
  world.presenton.faults.inject('slides:cut', { at: 3, times: 2 })
  expect(await post(user, id, '/retry')).toMatchObject({ status: 202 })
  expect(await used(user)).toEqual([1, 1, 1, 3])
  const failed = await user.waitUntilSettled(id)
  expect(failed).toMatchObject({ status: 'failed', slides_done: 2 })
  expect(await used(user)).toEqual([1, 1, 1, 2])
  // The failed run still counts, so the retry reserves only the missing slides.
  expect(await post(user, id, '/retry')).toMatchObject({ status: 202 })
  expect(await used(user)).toEqual([1, 1, 1, 3])
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 3 })
  expect(await used(user)).toEqual([1, 1, 1, 3])
})

test('a retry of a released presentation needs quota like a new one', async () => {
  const user = await world.createUser()
  const { id } = await reachState(world, user, 'failed')
  const held = await holdInStage(world, user, 'outlines')
  for (let n = 0; n < 4; n += 1) await user.submit()
  const refused = await post(user, id, '/retry')
  expect(refused).toMatchObject({ status: 429, body: { code: 'QUOTA_EXCEEDED' } })
  expect(await user.read(id)).toMatchObject({ status: 'failed', run: 1 })
  await advanceClock(user, Number(refused.headers.get('retry-after')))
  expect(await post(user, id, '/retry')).toMatchObject({ status: 202 })
  releaseStage(world, 'outlines')
  for (const eachId of [held.id, id])
    expect(await user.waitUntilSettled(eachId)).toMatchObject({ status: 'completed' })
})
