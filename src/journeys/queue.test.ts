// The queue: positions, fair order between users, and limits on running and queued presentations.

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
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const oneSlideBrief = { ...brief, n_slides: 1 }

/** Occupies the only slot until the gate `create` is released. */
async function holdSlot(user: User) {
  world.presenton.gates.hold('create')
  const { id } = await user.submit(oneSlideBrief)
  await world.presenton.gates.arrived('create')
  return id
}

test('the queue alternates between users, and runs start in the order of the positions', async () => {
  const [alice, bob, carol] = [
    await world.createUser('alice'),
    await world.createUser('bob'),
    await world.createUser('carol'),
  ]
  const first = await holdSlot(alice)
  const queued: { user: User; id: string }[] = []
  for (const user of [alice, alice, alice, bob, bob, carol])
    queued.push({ user, id: (await user.submit(oneSlideBrief)).id })
  const positions = await Promise.all(
    queued.map(async ({ user, id }) => (await user.read(id)).queue_position as number),
  )
  expect([...positions].sort()).toEqual([1, 2, 3, 4, 5, 6])
  expect(await alice.read(first)).toMatchObject({ status: 'running', queue_position: null })
  // Every user's next presentation comes before any user's second one.
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
  const ends = await Promise.all(queued.map(({ user, id }) => user.waitUntilSettled(id)))
  const started = ends.map(({ started_at, status }, index) => ({
    status,
    at: started_at as string,
    position: positions[index],
  }))
  expect(started.map(({ status }) => status)).toEqual(queued.map(() => 'completed'))
  const order = started.sort((a, b) => (a.at < b.at ? -1 : 1)).map(({ position }) => position)
  expect(order).toEqual([1, 2, 3, 4, 5, 6])
})

test('the first event contains the queue position, and its stream stays open until the end', async () => {
  const user = await world.createUser()
  const first = await holdSlot(user)
  const second = await user.submit(oneSlideBrief)
  const third = await user.submit(oneSlideBrief)
  expect([second.queue_position, third.queue_position]).toEqual([1, 2])
  const reader = await user.subscribe(third.id)
  expect((await reader.expectNext('queued')).data).toEqual({ type: 'queued', position: 2, run: 1 })
  world.presenton.gates.release('create')
  expect((await reader.rest()).at(-1)).toMatchObject({ data: { type: 'complete' } })
  await Promise.all([first, second.id].map((id) => user.waitUntilSettled(id)))
})

test('never exceeds MAX_RUNNING over all replicas', async () => {
  const users = [await world.createUser(), await world.createUser()]
  const ids = await Promise.all(
    [0, 1, 2, 3, 4, 5].map(async (n) => ({
      user: users[n % 2]!,
      ...(await users[n % 2]!.submit(oneSlideBrief)),
    })),
  )
  const starts: { from: number; to: number }[] = []
  for (const { user, id } of ids) {
    const { started_at, completed_at } = await user.waitUntilSettled(id)
    starts.push({ from: Date.parse(started_at as string), to: Date.parse(completed_at as string) })
  }
  starts.sort((a, b) => a.from - b.from)
  for (const [index, { from }] of starts.entries())
    expect(from).toBeGreaterThanOrEqual(starts[index - 1]?.to ?? 0)
})

test('returns 429 above MAX_QUEUED_PER_USER and 503 above MAX_QUEUED, with `Retry-After`', async () => {
  const [alice, bob] = [await world.createUser('alice'), await world.createUser('bob')]
  const heldId = await holdSlot(alice)
  const accepted = [{ user: alice, id: heldId }]
  const posts = await Promise.all(Array.from({ length: 8 }, () => alice.post(oneSlideBrief)))
  const statuses = posts.map(({ status }) => status).sort()
  expect(statuses).toEqual([202, 202, 202, 202, 202, 429, 429, 429])
  for (const { status, body } of posts)
    if (status === 202) accepted.push({ user: alice, id: body.id })
  const aboveUserLimit = posts.find(({ status }) => status === 429)!
  expect(aboveUserLimit.body).toMatchObject({ code: 'QUEUE_FULL', status: 429 })
  expect(Number(aboveUserLimit.headers.get('retry-after'))).toBeGreaterThan(0)

  const others = await Promise.all(Array.from({ length: 5 }, () => bob.post(oneSlideBrief)))
  expect(others.map(({ status }) => status).sort()).toEqual([202, 202, 202, 503, 503])
  for (const { status, body } of others)
    if (status === 202) accepted.push({ user: bob, id: body.id })
  const aboveTotalLimit = others.find(({ status }) => status === 503)!
  expect(aboveTotalLimit.body).toMatchObject({ code: 'QUEUE_FULL', status: 503 })
  expect(Number(aboveTotalLimit.headers.get('retry-after'))).toBeGreaterThan(0)

  world.presenton.gates.release('create')
  for (const { user, id } of accepted)
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
})

test('never exceeds MAX_RUNNING_PER_USER, even with free slots', async () => {
  const manySlots = await openWorld({
    replicas: 2,
    env: { MAX_RUNNING: '4', MAX_RUNNING_PER_USER: '2' },
  })
  try {
    const [alice, bob] = [await manySlots.createUser('alice'), await manySlots.createUser('bob')]
    manySlots.presenton.gates.hold('create')
    const ofAlice = await Promise.all([1, 2, 3, 4].map(() => alice.submit(oneSlideBrief)))
    await manySlots.presenton.gates.arrived('create', 2)
    const { id } = await bob.submit(oneSlideBrief)
    await manySlots.presenton.gates.arrived('create', 3)
    const statuses = await Promise.all(
      ofAlice.map(async (each) => (await alice.read(each.id)).status),
    )
    expect(statuses.sort()).toEqual(['queued', 'queued', 'running', 'running'])
    expect(await bob.read(id)).toMatchObject({ status: 'running' })
    manySlots.presenton.gates.release('create')
    await Promise.all([
      bob.waitUntilSettled(id),
      ...ofAlice.map((each) => alice.waitUntilSettled(each.id)),
    ])
    await manySlots.expectNoLeaks()
  } finally {
    await manySlots.close()
  }
})
