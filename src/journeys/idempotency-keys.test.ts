// Idempotency-Key: requests with the same key create one presentation, also when they are
// concurrent.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ replicas: 2 })
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

test('a repeated request with the same key returns the first response', async () => {
  const user = await world.createUser()
  const key = { 'idempotency-key': 'the-first' }
  const first = await user.post(brief, key)
  expect(first).toMatchObject({ status: 202, body: { status: 'queued' } })
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  await user.waitUntilSettled(first.body.id)

  // The order of members and the replica make no difference.
  const swapped = Object.fromEntries(Object.entries(brief).reverse())
  for (const baseUrl of world.gateways.map(({ url }) => url)) {
    const again = await user.post(swapped, key, baseUrl)
    expect(again).toMatchObject({ status: 202, body: first.body })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
  }
  const { body } = await user.api('/presentations')
  expect(body.items).toHaveLength(1)
})

test('returns 422 for another brief with the same key, and creates nothing', async () => {
  const user = await world.createUser()
  const key = { 'idempotency-key': 'the-second' }
  const { id } = await user.submit(brief, key)
  const other = await user.post({ ...brief, n_slides: 4 }, key)
  expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
  const { body } = await user.api('/presentations')
  expect(body.items.map((item: { id: string }) => item.id)).toEqual([id])
  await user.waitUntilSettled(id)
})

test('a refused request does not use up its key', async () => {
  const user = await world.createUser()
  const key = { 'idempotency-key': 'the-third' }
  expect(await user.post({ ...brief, n_slides: 0 }, key)).toMatchObject({ status: 400 })
  const { id } = await user.submit(brief, key)
  await user.waitUntilSettled(id)
})

test('two users with the same key get two presentations', async () => {
  const [first, second] = [await world.createUser(), await world.createUser()]
  const key = { 'idempotency-key': 'shared' }
  const ids = [(await first.submit(brief, key)).id, (await second.submit(brief, key)).id]
  expect(new Set(ids).size).toBe(2)
  await Promise.all([first.waitUntilSettled(ids[0]!), second.waitUntilSettled(ids[1]!)])
})

test('20 concurrent posts with one key, on two replicas, create one presentation and one deck', async () => {
  const user = await world.createUser()
  const before = { ...world.presenton.spend }
  const responses = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      user.post(brief, { 'idempotency-key': 'all-at-once' }, world.gateways[index % 2]!.url),
    ),
  )
  const [first] = responses
  for (const { status, body } of responses)
    expect({ status, body }).toEqual({ status: 202, body: first!.body })
  expect(
    responses.filter(({ headers }) => headers.get('idempotency-replayed') === 'true'),
  ).toHaveLength(19)
  await user.waitUntilSettled(first!.body.id)
  expect((await user.api('/presentations')).body.items).toHaveLength(1)
  expect(world.presenton.spend.slideStreams - before.slideStreams).toBe(1)
  expect(world.presenton.spend.outlines - before.outlines).toBe(1)
})

test('10 concurrent posts without a key create 10 presentations', async () => {
  const user = await world.createUser()
  const responses = await Promise.all(
    Array.from({ length: 10 }, () => user.submit({ ...brief, n_slides: 1 })),
  )
  expect(new Set(responses.map(({ id }) => id)).size).toBe(10)
  const settled = await Promise.all(responses.map(({ id }) => user.waitUntilSettled(id)))
  expect(settled.filter(({ status }) => status !== 'completed')).toEqual([])
})

test.each(['', 'a b', 'x'.repeat(256), 'ümlaut', 'a\tb'])(
  'returns 400 for the key %j',
  async (key) => {
    const user = await world.createUser()
    const bytes = Buffer.from(key).toString('latin1')
    const response = await user.post(brief, { 'idempotency-key': bytes })
    expect(response).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: 'Idempotency-Key' }] },
    })
    expect((await user.api('/presentations')).body.items).toEqual([])
  },
)
