// Idempotency-Key: one key, one presentation, however often and however much at once it is used.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ replicas: 2 })
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

test('the same request under the same key gives the first answer again, word for word', async () => {
  const user = await world.user()
  const key = { 'idempotency-key': 'the-first' }
  const first = await user.post(brief, key)
  expect(first).toMatchObject({ status: 202, body: { status: 'queued' } })
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  await user.settled(first.body.id)

  // Another order of the members is no other brief; another replica is no other gateway.
  const swapped = Object.fromEntries(Object.entries(brief).reverse())
  for (const at of world.gateways.map(({ url }) => url)) {
    const again = await user.post(swapped, key, at)
    expect(again).toMatchObject({ status: 202, body: first.body })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
  }
  const { body } = await user.api('/presentations')
  expect(body.items).toHaveLength(1)
})

test('another brief under the same key is refused, and nothing is made of it', async () => {
  const user = await world.user()
  const key = { 'idempotency-key': 'the-second' }
  const { id } = await user.accept(brief, key)
  const other = await user.post({ ...brief, n_slides: 4 }, key)
  expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
  const { body } = await user.api('/presentations')
  expect(body.items.map((one: { id: string }) => one.id)).toEqual([id])
  await user.settled(id)
})

test('a refused request keeps no key', async () => {
  const user = await world.user()
  const key = { 'idempotency-key': 'the-third' }
  expect(await user.post({ ...brief, n_slides: 0 }, key)).toMatchObject({ status: 400 })
  const { id } = await user.accept(brief, key)
  await user.settled(id)
})

test('two users may use the same key and get two presentations', async () => {
  const [one, other] = [await world.user(), await world.user()]
  const key = { 'idempotency-key': 'everybody-s' }
  const ids = [(await one.accept(brief, key)).id, (await other.accept(brief, key)).id]
  expect(new Set(ids).size).toBe(2)
  await Promise.all([one.settled(ids[0]!), other.settled(ids[1]!)])
})

test('twenty posts at once under one key, on two replicas, make one row, one run, one deck', async () => {
  const user = await world.user()
  const before = { ...world.presenton.spend }
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      user.post(brief, { 'idempotency-key': 'all-at-once' }, world.gateways[index % 2]!.url),
    ),
  )
  const [first] = answers
  for (const { status, body } of answers)
    expect({ status, body }).toEqual({ status: 202, body: first!.body })
  expect(
    answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true'),
  ).toHaveLength(19)
  await user.settled(first!.body.id)
  expect((await user.api('/presentations')).body.items).toHaveLength(1)
  expect(world.presenton.spend.slideStreams - before.slideStreams).toBe(1)
  expect(world.presenton.spend.outlines - before.outlines).toBe(1)
})

test('ten different posts at once make ten', async () => {
  const user = await world.user()
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => user.accept({ ...brief, n_slides: 1 })),
  )
  expect(new Set(answers.map(({ id }) => id)).size).toBe(10)
  const settled = await Promise.all(answers.map(({ id }) => user.settled(id)))
  expect(settled.filter(({ status }) => status !== 'completed')).toEqual([])
})

test.each(['', 'a b', 'x'.repeat(256), 'ümlaut', 'a\tb'])('%j is no key', async (key) => {
  const user = await world.user()
  const bytes = Buffer.from(key).toString('latin1')
  const answer = await user.post(brief, { 'idempotency-key': bytes })
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: 'Idempotency-Key' }] },
  })
  expect((await user.api('/presentations')).body.items).toEqual([])
})
