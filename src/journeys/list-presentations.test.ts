// The list of a user's presentations: newest first, in pages, filtered by status, without those of
// other users.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let alice: User
let bob: User
const ids = { alice: [] as string[], bob: [] as string[] }

beforeAll(async () => {
  // Three presentations are completed; the others stay queued on a replica without a worker.
  world = await openWorld({ env: { WORKER: 'false' } })
  ;[alice, bob] = [await world.createUser('alice'), await world.createUser('bob')]
  const worker = await world.openReplica({ WORKER: 'true' })
  for (let n = 0; n < 3; n++) ids.alice.push((await alice.generate({ ...brief, n_slides: 1 })).id)
  await world.closeReplica(worker)
  for (let n = 0; n < 42; n++) {
    const [user, ownIds] = n % 3 === 0 ? [bob, ids.bob] : [alice, ids.alice]
    ownIds.push((await user.submit({ ...brief, metadata: { n: String(n) } })).id)
  }
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

async function pagesOf(user: User, query = ''): Promise<string[][]> {
  const pages: string[][] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await user.api(
      `/presentations?${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    )
    expect({ status, body }).toMatchObject({ status: 200 })
    expect(Object.keys(body).sort()).toEqual(['items', 'next_cursor'])
    pages.push(body.items.map((item: { id: string }) => item.id))
    cursor = body.next_cursor
  }
  return pages
}

test('lists each presentation of the user once, newest first, for every page size', async () => {
  for (const [user, ownIds] of [
    [alice, ids.alice],
    [bob, ids.bob],
  ] as const) {
    const newestFirst = [...ownIds].reverse()
    for (const limit of [1, 7, 10, 31, 100]) {
      const pages = await pagesOf(user, `limit=${limit}`)
      expect(pages.flat()).toEqual(newestFirst)
      expect(pages).toHaveLength(Math.ceil(ownIds.length / limit))
    }
  }
  const [first, second] = await pagesOf(alice)
  expect([first?.length, second?.length]).toEqual([20, 11])
})

test('a presentation created between two pages neither repeats nor hides others', async () => {
  const { body: first } = await alice.api('/presentations?limit=10')
  const { id } = await alice.submit()
  const { body: second } = await alice.api(`/presentations?limit=100&cursor=${first.next_cursor}`)
  const seen = [...first.items, ...second.items].map((item: { id: string }) => item.id)
  expect(seen).toEqual([...ids.alice].reverse())
  ids.alice.push(id)
})

test('an item of the list equals the presentation', async () => {
  const { body } = await alice.api('/presentations?limit=100')
  for (const item of [body.items.at(0), body.items.at(-1)])
    expect(item).toEqual(await alice.read(item.id))
})

test('filters by status', async () => {
  const newestFirst = [...ids.alice].reverse()
  expect((await pagesOf(alice, 'status=completed&limit=2')).flat()).toEqual(newestFirst.slice(-3))
  expect((await pagesOf(alice, 'status=queued&limit=9')).flat()).toEqual(newestFirst.slice(0, -3))
  expect(await pagesOf(alice, 'status=failed')).toEqual([[]])
  expect(await pagesOf(bob, 'status=completed')).toEqual([[]])
})

test.each([
  ['status=done', 'status'],
  ['status=', 'status'],
  ['limit=0', 'limit'],
  ['limit=101', 'limit'],
  ['limit=-1', 'limit'],
  ['limit=1.5', 'limit'],
  ['limit=ten', 'limit'],
  ['cursor=', 'cursor'],
  ['cursor=abc', 'cursor'],
  ['cursor=%00', 'cursor'],
  [`cursor=${'x'.repeat(500)}`, 'cursor'],
  [`cursor=${Buffer.from('["2026-01-01", "x"]').toString('base64url')}`, 'cursor'],
  [`cursor=${Buffer.from("2026-01-01T00:00:00.000Z,' or 1=1").toString('base64url')}`, 'cursor'],
])('returns 400 for %s and names the parameter', async (query, path) => {
  const response = await alice.api(`/presentations?${query}`)
  expect(response).toMatchObject({
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path }] },
  })
})

test("another user's cursor lists only the caller's own presentations", async () => {
  const { body } = await alice.api('/presentations?limit=5')
  const { body: others } = await bob.api(`/presentations?limit=100&cursor=${body.next_cursor}`)
  for (const { id } of others.items) expect(ids.bob).toContain(id)
})
