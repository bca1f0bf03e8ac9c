// How long sources and their objects stay: while a presentation needs them, and within retention.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import {
  abandonUploads,
  expireSources,
  insertPresentationSources,
  keepUploads,
  lockSources,
  markSourceDeleted,
  recordSourceUpload,
  releaseDeletedSources,
} from './sources.ts'
import { findRemovableUploads } from './uploads.ts'

let rows: TestRows
beforeAll(async () => {
  rows = await openTestRows()
})
afterAll(() => rows.close())

let count = 0

/** A stored source, `hours` old. */
async function addSource(hours = 0) {
  const id = `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`
  const objectKey = `sources/alice/${id}.txt`
  await recordSourceUpload(rows.database, objectKey)
  expect(await keepUploads(rows.database, [objectKey])).toBe(1)
  await rows.database.query(
    `insert into gateway.sources (id, user_id, name, content_type, size_bytes, sha256, object_key, created_at)
     values ($1, 'alice', 'a.txt', 'text/plain', 1, '', $2, now() - make_interval(hours => $3))`,
    [id, objectKey, hours],
  )
  return { id, objectKey }
}

async function nameIn(sourceId: string, status: string) {
  const presentationId = await rows.insert()
  await insertPresentationSources(rows.database, [
    { presentationId, position: 0, sourceId, name: 'a.txt' },
  ])
  await setStatus(presentationId, status)
  return presentationId
}

const setStatus = (id: string, status: string) =>
  rows.database.query('update gateway.presentations set status = $2 where id = $1', [id, status])

const remaining = async () =>
  (await rows.database.query<{ id: string }>('select id from gateway.sources')).map(({ id }) => id)

/** As if it were later, so that what is due now can be found. */
const removable = async () => {
  await rows.database.query(
    `update gateway.uploads set remove_after = remove_after - interval '1 minute'`,
  )
  return findRemovableUploads(rows.database)
}

test('a deleted source stays until no presentation needs it', async () => {
  const { id, objectKey } = await addSource()
  const presentationId = await nameIn(id, 'failed')
  expect(await markSourceDeleted(rows.database, { userId: 'bob', id })).toBe(false)
  expect(await markSourceDeleted(rows.database, { userId: 'alice', id })).toBe(true)
  expect(await markSourceDeleted(rows.database, { userId: 'alice', id })).toBe(false)
  expect(await lockSources(rows.database, [id])).toEqual(new Map())
  expect(await releaseDeletedSources(rows.database)).toBe(0)
  expect(await removable()).not.toContain(objectKey)
  await setStatus(presentationId, 'completed')
  expect(await releaseDeletedSources(rows.database)).toBe(1)
  expect(await remaining()).not.toContain(id)
  expect(await removable()).toContain(objectKey)
})

test('retention spares young sources and those of unfinished presentations', async () => {
  const [young, old, used, retriable] = [
    await addSource(1),
    await addSource(30),
    await addSource(30),
    await addSource(30),
  ]
  await nameIn(used.id, 'awaiting_outlines')
  await nameIn(retriable.id, 'cancelled')
  expect(await expireSources(rows.database, { retentionHours: 24 })).toBe(2)
  expect([...(await lockSources(rows.database, [young.id, used.id])).keys()]).toEqual([
    young.id,
    used.id,
  ])
  expect(await releaseDeletedSources(rows.database)).toBe(1)
  // The presentation that was cancelled can be retried, so its source is only gone from lists.
  expect(await remaining()).toEqual(expect.arrayContaining([retriable.id]))
  expect(await remaining()).not.toContain(old.id)
})

test('an abandoned upload is removed, one that a source names never', async () => {
  const { objectKey } = await addSource()
  const abandoned = 'sources/alice/abandoned.txt'
  await recordSourceUpload(rows.database, abandoned)
  expect(await abandonUploads(rows.database, [objectKey, abandoned])).toEqual([abandoned])
  // Not even when its record says so.
  await rows.database.query('update gateway.uploads set remove_after = now()')
  const due = await removable()
  expect(due).toContain(abandoned)
  expect(due).not.toContain(objectKey)
  expect(await keepUploads(rows.database, [abandoned])).toBe(0)
})
