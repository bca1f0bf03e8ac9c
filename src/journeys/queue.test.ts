// Who comes when: the queue with its positions, taking turns, the caps on what runs and what waits.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({
    replicas: 2,
    env: { MAX_RUNNING: '1', MAX_QUEUED: '8', MAX_QUEUED_PER_USER: '5' },
  })
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const one = { ...brief, n_slides: 1 }

/** Occupies the only slot until `create` is released. */
async function holdSlot(user: User) {
  world.presenton.gates.hold('create')
  const { id } = await user.accept(one)
  await world.presenton.gates.arrived('create')
  return id
}

test('users take turns, and the position says who is next', async () => {
  const [alice, bob, carol] = [
    await world.user('alice'),
    await world.user('bob'),
    await world.user('carol'),
  ]
  const first = await holdSlot(alice)
  const queued: { user: User; id: string }[] = []
  for (const user of [alice, alice, alice, bob, bob, carol])
    queued.push({ user, id: (await user.accept(one)).id })
  const positions = await Promise.all(
    queued.map(async ({ user, id }) => (await user.read(id)).queue_position as number),
  )
  expect([...positions].sort()).toEqual([1, 2, 3, 4, 5, 6])
  expect(await alice.read(first)).toMatchObject({ status: 'running', queue_position: null })
  // Nobody's second comes before everybody's next one.
  const [, , aliceThird, bobFirst, bobSecond, carolFirst] = positions as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  expect(bobFirst).toBeLessThan(aliceThird)
  expect(carolFirst).toBeLessThan(aliceThird)
  expect(carolFirst).toBeLessThan(bobSecond)

  world.presenton.gates.release('create')
  const ends = await Promise.all(queued.map(({ user, id }) => user.settled(id)))
  const started = ends.map(({ started_at, status }, index) => ({
    status,
    at: started_at as string,
    position: positions[index],
  }))
  expect(started.map(({ status }) => status)).toEqual(queued.map(() => 'completed'))
  const order = started.sort((a, b) => (a.at < b.at ? -1 : 1)).map(({ position }) => position)
  expect(order).toEqual([1, 2, 3, 4, 5, 6])
})

test('the first event tells the position, and a reader may wait in the queue', async () => {
  const user = await world.user()
  const first = await holdSlot(user)
  const second = await user.accept(one)
  const third = await user.accept(one)
  expect([second.queue_position, third.queue_position]).toEqual([1, 2])
  const reader = await user.follow(third.id)
  expect((await reader.expectNext('queued')).data).toEqual({ type: 'queued', position: 2, run: 1 })
  world.presenton.gates.release('create')
  expect((await reader.rest()).at(-1)).toMatchObject({ data: { type: 'complete' } })
  await Promise.all([first, second.id].map((id) => user.settled(id)))
})

test('never more runs at once than allowed, over all replicas', async () => {
  const users = [await world.user(), await world.user()]
  const ids = await Promise.all(
    [0, 1, 2, 3, 4, 5].map(async (n) => ({
      user: users[n % 2]!,
      ...(await users[n % 2]!.accept(one)),
    })),
  )
  const starts: { from: number; to: number }[] = []
  for (const { user, id } of ids) {
    const { started_at, completed_at } = await user.settled(id)
    starts.push({ from: Date.parse(started_at as string), to: Date.parse(completed_at as string) })
  }
  starts.sort((a, b) => a.from - b.from)
  for (const [index, { from }] of starts.entries())
    expect(from).toBeGreaterThanOrEqual(starts[index - 1]?.to ?? 0)
})

test("a user's own queue ends at its bound, everybody's at its own, and both say when to come back", async () => {
  const [alice, bob] = [await world.user('alice'), await world.user('bob')]
  const held = await holdSlot(alice)
  const accepted = [{ user: alice, id: held }]
  const posts = await Promise.all(Array.from({ length: 8 }, () => alice.post(one)))
  const statuses = posts.map(({ status }) => status).sort()
  expect(statuses).toEqual([202, 202, 202, 202, 202, 429, 429, 429])
  for (const { status, body } of posts)
    if (status === 202) accepted.push({ user: alice, id: body.id })
  const full = posts.find(({ status }) => status === 429)!
  expect(full.body).toMatchObject({ code: 'QUEUE_FULL', status: 429 })
  expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0)

  const others = await Promise.all(Array.from({ length: 5 }, () => bob.post(one)))
  expect(others.map(({ status }) => status).sort()).toEqual([202, 202, 202, 503, 503])
  for (const { status, body } of others)
    if (status === 202) accepted.push({ user: bob, id: body.id })
  const closed = others.find(({ status }) => status === 503)!
  expect(closed.body).toMatchObject({ code: 'QUEUE_FULL', status: 503 })
  expect(Number(closed.headers.get('retry-after'))).toBeGreaterThan(0)

  world.presenton.gates.release('create')
  for (const { user, id } of accepted)
    expect(await user.settled(id)).toMatchObject({ status: 'completed' })
})

test('one user runs no more at once than allowed, however many slots are free', async () => {
  const wide = await openWorld({
    replicas: 2,
    env: { MAX_RUNNING: '4', MAX_RUNNING_PER_USER: '2' },
  })
  try {
    const [alice, bob] = [await wide.user('alice'), await wide.user('bob')]
    wide.presenton.gates.hold('create')
    const own = await Promise.all([1, 2, 3, 4].map(() => alice.accept(one)))
    await wide.presenton.gates.arrived('create', 2)
    const { id } = await bob.accept(one)
    await wide.presenton.gates.arrived('create', 3)
    const statuses = await Promise.all(own.map(async (each) => (await alice.read(each.id)).status))
    expect(statuses.sort()).toEqual(['queued', 'queued', 'running', 'running'])
    expect(await bob.read(id)).toMatchObject({ status: 'running' })
    wide.presenton.gates.release('create')
    await Promise.all([bob.settled(id), ...own.map((each) => alice.settled(each.id))])
    await wide.expectNothingLeft()
  } finally {
    await wide.close()
  }
})
