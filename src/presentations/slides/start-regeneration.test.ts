// Runs that make the slides of a finished deck again, with real workers. The present deck stands
// until the slides of the fresh one are whole.

import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createChannels } from '../../database/channels.ts'
import { type Database, openDatabase } from '../../database/connection.ts'
import type { Quotas } from '../../database/quota-usage.ts'
import type { User } from '../../journeys/user.ts'
import { openWorld, type World } from '../../journeys/world.ts'
import { waitFor } from '../../sandbox/wait-for.ts'
import { createStartRegeneration } from './start-regeneration.ts'

const unlimited: Quotas = {
  ...{ perHour: 0, perDay: 0, total: 0, totalSlides: 0, systemPerDay: 0, editsPerDay: 0 },
}

let world: World
let database: Database
beforeAll(async () => {
  world = await openWorld()
  database = openDatabase({ url: world.database.url, poolMax: 2 })
})
afterEach(() => world.expectNoLeaks())
afterAll(async () => {
  await database.close()
  await world.close()
})

function regenerate(user: User, id: string, quotas: Partial<Quotas> = {}, pool = database) {
  const start = createStartRegeneration({
    database: pool,
    channels: createChannels(undefined),
    queue: { maxQueued: 100, maxQueuedPerUser: 100 },
    quotas: { ...unlimited, ...quotas },
  })
  const own = { userId: user.sub, id }
  const respond = () => ({ status: 202, location: '', body: null })
  return start({ own, signal: new AbortController().signal }, { respond })
}

async function open() {
  const user = await world.createUser()
  const { id, presenton_presentation_id: deckId } = await user.generate()
  return { user, id, deckId: String(deckId) }
}

const slidesOf = async (user: User, id: string) =>
  (await user.api(`/presentations/${id}/slides`)).body.slides

test('makes the slides again on a fresh deck, from the saved outlines', async () => {
  const { user, id, deckId } = await open()
  const before = await slidesOf(user, id)
  const { outlines } = (await user.api(`/presentations/${id}/outlines`)).body
  world.presenton.gates.hold('slides:complete')
  await regenerate(user, id)
  await world.presenton.gates.arrived('slides:complete')
  const during = (await user.api(`/presentations/${id}`)).body
  expect(during).toMatchObject({ status: 'running', run: 2, revision: 1 })
  expect(during).toMatchObject({ presenton_presentation_id: deckId, files: [{ stale: false }] })
  expect(await slidesOf(user, id)).toEqual(before)
  const patched = await user.api(`/presentations/${id}/slides/0`, {
    method: 'PATCH',
    body: { speaker_note: 'Mine' },
  })
  expect(patched).toMatchObject({ status: 409, body: { code: 'CONFLICT' } })
  world.presenton.gates.release('slides:complete')

  const after = await user.waitUntilSettled(id)
  expect(after).toMatchObject({ status: 'completed', stage: null, error: null, revision: 2 })
  expect(after.files).toMatchObject([{ revision: 2, stale: false }])
  expect(after.presenton_presentation_id).not.toBe(deckId)
  const slides = await slidesOf(user, id)
  expect(slides).toHaveLength(before.length)
  expect(slides[0].id).not.toBe(before[0].id)
  expect((await user.api(`/presentations/${id}/outlines`)).body.outlines).toEqual(outlines)
  expect(world.presenton.spendOf(String(after.presenton_presentation_id))).toEqual({
    ...{ outlines: 0, prepares: 1, slideStreams: 1, exports: 1 },
  })
  const events = (await (await user.subscribe(id)).rest()).map(({ data }) => data)
  const ofRun = events.filter(({ run }) => run === 2)
  expect(ofRun.filter(({ type }) => type === 'stage').map(({ stage }) => stage)).toEqual([
    ...['create', 'prepare', 'slides', 'export', 'store'],
  ])
  expect(ofRun.at(-1)).toMatchObject({ type: 'complete', download: expect.anything() })
})

test('a failure keeps the deck and its files, and gives the reason', async () => {
  const { user, id, deckId } = await open()
  const before = await user.api(`/presentations/${id}`)
  world.presenton.faults.inject('slides:error-500', { times: 2 })
  await regenerate(user, id)
  const after = await user.waitUntilSettled(id)
  expect(after).toMatchObject({
    ...{ status: 'completed', presenton_presentation_id: deckId, revision: 1 },
    ...{ n_slides: before.body.n_slides, slides_done: before.body.slides_done },
    error: { code: 'UPSTREAM_ERROR' },
  })
  expect(after.files).toEqual(before.body.files)
  const [fresh] = await world.query<{ fresh: string | null }>(
    'select fresh_deck_id as fresh from gateway.presentations where id = $1',
    [id],
  )
  expect(fresh).toEqual({ fresh: null })

  // The deck can be changed, exported and regenerated.
  await regenerate(user, id)
  expect(await user.waitUntilSettled(id)).toMatchObject({ error: null, revision: 2 })
})

test('a cancellation keeps the deck, and releases what cost nothing', async () => {
  const { user, id, deckId } = await open()
  world.presenton.gates.hold('create')
  await regenerate(user, id)
  await world.presenton.gates.arrived('create')
  const cancelled = await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
  expect(cancelled.body).toMatchObject({ status: 'completed', error: { code: 'CANCELLED' } })
  expect(cancelled.body).toMatchObject({ presenton_presentation_id: deckId, revision: 1 })
  expect((await user.api('/usage')).body.per_day.used).toBe(1)

  world.presenton.gates.releaseAll()
  await regenerate(user, id)
  await user.waitUntilSettled(id)
  expect((await user.api('/usage')).body.per_day.used).toBe(2)
})

test('reserves in the windows like a new presentation, and in no total', async () => {
  const { user, id } = await open()
  const before = (await user.api('/usage')).body
  await expect(regenerate(user, id, { perHour: 1 })).rejects.toMatchObject({
    code: 'QUOTA_EXCEEDED',
  })
  await expect(regenerate(user, id, { systemPerDay: 1 })).rejects.toMatchObject({
    code: 'QUOTA_EXCEEDED',
  })
  await regenerate(user, id, { total: 1, totalSlides: before.total_slides.used })
  expect(await user.waitUntilSettled(id)).toMatchObject({ error: null, revision: 2 })
  const usage = (await user.api('/usage')).body
  expect(usage.total.used).toBe(1)
  expect(usage.per_hour.used).toBe(2)
})

test('is refused while a run is under way, and without saved outlines', async () => {
  const { user, id } = await open()
  world.presenton.gates.hold('create')
  await regenerate(user, id)
  await expect(regenerate(user, id)).rejects.toMatchObject({ code: 'CONFLICT' })
  world.presenton.gates.releaseAll()
  await user.waitUntilSettled(id)
  await world.query('update gateway.presentations set outlines = null where id = $1', [id])
  await expect(regenerate(user, id)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' })
  const other = await world.createUser('other')
  await expect(regenerate(other, id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('deleting the presentation during the run removes both decks', async () => {
  const { user, id } = await open()
  world.presenton.gates.hold('slides:slide')
  await regenerate(user, id)
  await world.presenton.gates.arrived('slides:slide')
  const decks = await world.query<{ deck_id: string }>(
    'select deck_id from gateway.decks where presentation_id = $1',
    [id],
  )
  expect(decks).toHaveLength(2)
  expect((await user.api(`/presentations/${id}`, { method: 'DELETE' })).status).toBe(204)
  await waitFor(() => {
    for (const { deck_id } of decks) expect(world.presenton.decks.has(deck_id)).toBe(false)
  })
})

test.each(['create:reply', 'slides:slide', 'slides:saved'] as const)(
  'kill -9 at %s: the next worker finishes with one more stream at most',
  async (point) => {
    const crashing = await openWorld({ replicas: 0, env: { LEASE_SECONDS: '1' } })
    onTestFinished(() => crashing.close())
    const pool = openDatabase({ url: crashing.database.url, poolMax: 2 })
    onTestFinished(() => pool.close())
    const first = await crashing.spawnReplica()
    await crashing.openReplica({ WORKER: 'false' })
    const user = await crashing.createUser()
    const { id, presenton_presentation_id: deckId } = await user.generate()
    crashing.presenton.gates.hold(point)
    await regenerate(user, id, {}, pool)
    await crashing.presenton.gates.arrived(point)
    await first.kill()
    crashing.presenton.gates.release(point)
    const next = await crashing.openReplica()
    const after = await user.waitUntilSettled(id, next.url)
    expect(after).toMatchObject({ status: 'completed', error: null, revision: 2 })
    expect(after.presenton_presentation_id).not.toBe(deckId)
    expect(after.slides_done).toBe(
      crashing.presenton.decks.get(String(after.presenton_presentation_id))?.slides.length,
    )
    expect(crashing.presenton.spend.slideStreams).toBeLessThanOrEqual(3)
    expect(crashing.presenton.spend.outlines).toBe(1)
  },
  60_000,
)
