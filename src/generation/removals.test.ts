// Removals of objects that a store refuses, on real Postgres: rights that are missing and locked
// objects are tried ever more rarely, and do not keep others from being removed.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createObjectStore } from '../objects/store.ts'
import { type ObjectStore, openObjectStore } from '../sandbox/object-store.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createRemovals, type RemovalOptions } from './removals.ts'

const warn = vi.fn()
let rows: TestRows
let server: ObjectStore
let objects: ReturnType<typeof createObjectStore>
let nowMs = 0
beforeAll(async () => {
  rows = await openTestRows()
  server = await openObjectStore()
  objects = createObjectStore({
    ...server,
    publicEndpoint: server.endpoint,
    bucket: 'decks',
    logger: { warn },
  })
  await objects.ensureBucket()
})
afterAll(async () => {
  await objects.close()
  await server.close()
  await rows.close()
})
beforeEach(() => rows.database.query('delete from gateway.uploads'))
afterEach(() => warn.mockClear())

function open() {
  const presenton = {} as RemovalOptions['presenton']
  const { signal } = new AbortController()
  const { database } = rows
  return createRemovals({
    database,
    objects,
    presenton,
    logger: { warn },
    signal,
    now: () => nowMs,
  })
}

/** Keys whose removal is due; the first is due longest. */
async function insertDue(...keys: string[]): Promise<void> {
  for (const [index, key] of keys.entries())
    await rows.database.query(
      `insert into gateway.uploads (object_key, presentation_id, lease_token, remove_after)
       values ($1, gen_random_uuid(), gen_random_uuid(), now() - $2 * interval '1 minute')`,
      [key, keys.length - index],
    )
}

async function readMinutes(): Promise<Record<string, number>> {
  const found = await rows.database.query<{ key: string; minutes: number }>(
    `select object_key as key, round(extract(epoch from remove_after - now()) / 60)::int as minutes
     from gateway.uploads order by 1`,
  )
  return Object.fromEntries(found.map(({ key, minutes }) => [key, minutes]))
}

const makeDue = () =>
  rows.database.query(`update gateway.uploads set remove_after = now() - interval '1 minute'`)

function lock(name = '') {
  const body = '<Error><Code>AccessDenied</Code><Message>Object is WORM protected</Message></Error>'
  return server.injectFault(
    { kind: 'status', status: 403, body },
    {
      times: Number.POSITIVE_INFINITY,
      match: ({ method, path }) => method === 'DELETE' && path.includes(name),
    },
  )
}

it('removes others although some are locked, and tries a locked one ever more rarely', async () => {
  const fault = lock('locked')
  const removals = open()
  await insertDue('locked-1', 'free-1', 'locked-2', 'free-2')
  await removals.objects()
  expect(await readMinutes()).toEqual({ 'locked-1': 10, 'locked-2': 10 })
  for (const minutes of [20, 40, 80, 160, 320, 640, 1280, 1440, 1440]) {
    await makeDue()
    await removals.objects()
    expect(await readMinutes()).toEqual({ 'locked-1': minutes, 'locked-2': minutes })
  }
  fault.release()
  await makeDue()
  await removals.objects()
  expect(await readMinutes()).toEqual({})
})

it('asks a store that refuses every removal five times in ten minutes', async () => {
  const fault = lock()
  const removals = open()
  const keys = Array.from({ length: 20 }, (_, i) => `key-${String(i).padStart(2, '0')}`)
  await insertDue(...keys)
  await expect(removals.objects()).rejects.toMatchObject({ failure: 'final' })
  expect(fault.hits).toHaveLength(5)
  for (nowMs of [1_000, 60_000, 599_999]) await removals.objects()
  expect(fault.hits).toHaveLength(5)
  nowMs = 600_001
  await expect(removals.objects()).rejects.toMatchObject({ failure: 'final' })
  // The next five: those that were refused wait longer.
  expect(new Set(fault.hits.map(({ path }) => path)).size).toBe(10)
  fault.release()
  nowMs = 1_300_000
  await removals.objects()
  expect(Object.keys(await readMinutes())).toHaveLength(10)
})

it('goes on in the next round, without a pause, after the store was away', async () => {
  const removals = open()
  await insertDue('a', 'b')
  await server.down()
  await expect(removals.objects()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  await server.up()
  await removals.objects()
  expect(await readMinutes()).toEqual({})
  expect(warn).not.toHaveBeenCalled()
})
