// Presentations that start with a deck, or are finished from the start, with real workers.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createChannels } from '../../database/channels.ts'
import { type Database, openDatabase } from '../../database/connection.ts'
import type { Quotas } from '../../database/quota-usage.ts'
import type { User } from '../../journeys/user.ts'
import { openWorld, type World } from '../../journeys/world.ts'
import type { Presenton } from '../../presenton/client.ts'
import { asShared, openClient } from '../../presenton/fixtures/upstream.ts'
import { createAdmission } from '../accept.ts'
import { readBrief } from '../read-brief.ts'
import { createFinishedCommands } from './add-finished.ts'
import { createCreateWithDeck } from './create-with-deck.ts'

const unlimited: Quotas = {
  ...{ perHour: 0, perDay: 0, total: 0, totalSlides: 0, systemPerDay: 0, editsPerDay: 0 },
}

let world: World
let database: Database
let presenton: Presenton
beforeAll(async () => {
  world = await openWorld()
  database = openDatabase({ url: world.database.url, poolMax: 2 })
  presenton = openClient(world.presenton.url)
})
afterEach(() => world.expectNoLeaks())
afterAll(async () => {
  await presenton.close()
  await database.close()
  await world.close()
})

const finished = (quotas: Partial<Quotas> = {}) =>
  createFinishedCommands({
    ...{ database, presenton, defaultTemplate: 'general' },
    quotas: { ...unlimited, ...quotas },
  })

function createDeck(user: User, { quotas = {}, content = 'The bridge. The ferry.' } = {}) {
  const admission = createAdmission({
    ...{ database, channels: createChannels(undefined) },
    queue: { maxQueued: 100, maxQueuedPerUser: 100 },
    quotas: { ...unlimited, ...quotas },
    knownTemplates: () => undefined,
  })
  const create = createCreateWithDeck({ database, presenton, ...admission })
  const body = { content, n_slides: 3, review_outlines: true }
  return create({
    ...asShared,
    userId: user.sub,
    brief: readBrief(body, { maxSlides: 50 }, { template: 'general' }),
    ...{ origin: 'maker', usesDefaultTemplate: true, filePaths: [] },
  })
}

test('a presentation with a deck starts at its outlines, and waits for their approval', async () => {
  const user = await world.createUser()
  const { row, created } = await createDeck(user)
  expect(row).toMatchObject({ origin: 'maker', status: 'queued', deckId: created.id, run: 1 })
  const inReview = await user.waitUntilSettled(row.id)
  expect(inReview).toMatchObject({ status: 'awaiting_outlines', origin: 'maker' })
  expect(inReview.presenton_presentation_id).toBe(created.id)
  await user.api(`/presentations/${row.id}/outlines`, { method: 'PUT', body: {} })
  expect(await user.waitUntilSettled(row.id)).toMatchObject({ status: 'completed', run: 1 })
  expect([...world.presenton.decks.keys()].filter((id) => id === created.id)).toHaveLength(1)
  const events = (await (await user.subscribe(row.id)).rest()).map(({ data }) => data)
  const stages = events.filter(({ type }) => type === 'stage').map(({ stage }) => stage)
  expect(stages).toEqual(['outlines', 'prepare', 'slides', 'export', 'store'])
})

test('nothing is accepted, and nothing made, when upstream or the quota refuses', async () => {
  const user = await world.createUser()
  const decks = world.presenton.decks.size
  world.presenton.faults.inject('create:503')
  await expect(createDeck(user)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
  await expect(createDeck(user, { quotas: { totalSlides: 2 } })).rejects.toMatchObject({
    code: 'QUOTA_EXHAUSTED',
  })
  expect(world.presenton.decks.size).toBe(decks)
  expect((await user.api('/presentations')).body.items).toEqual([])
  expect((await user.api('/usage')).body.total.used).toBe(0)
})

test('a deck that no presentation got is removed', async () => {
  const user = await world.createUser()
  await createDeck(user, { quotas: { total: 1 } })
  world.presenton.gates.hold('create')
  const second = createDeck(user, { quotas: { total: 2 } })
  const third = createDeck(user, { quotas: { total: 2 } })
  await world.presenton.gates.arrived('create', 2)
  world.presenton.gates.release('create')
  const results = await Promise.allSettled([second, third])
  expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  const unused = await world.query('select 1 from gateway.decks where remove_after is not null')
  expect(unused).toHaveLength(1)
})

const fileless = { run: 0, revision: 1, files: [], status: 'completed', origin: 'maker' } as const

test('a blank deck is completed without a run, and its first export makes its first file', async () => {
  const user = await world.createUser()
  const { id, deckId, presentation } = await finished().createBlank({
    ...asShared,
    userId: user.sub,
  })
  expect(presentation).toMatchObject({ id: deckId, title: 'Untitled Presentation' })
  expect(await user.read(id)).toMatchObject({
    ...{ ...fileless, n_slides: 1, slides_done: 1, title: 'Untitled Presentation', error: null },
    ...{ presenton_presentation_id: deckId, progress: 1, links: { download: null } },
  })
  const download = await user.api(`/presentations/${id}/download`)
  expect(download).toMatchObject({ status: 409, body: { code: 'NOT_READY' } })
  expect((await user.subscribe(id)).status).toBe(204)
  const outlines = await user.api(`/presentations/${id}/outlines`)
  expect(outlines).toMatchObject({ status: 409, body: { code: 'NOT_READY' } })
  expect((await user.api(`/presentations/${id}/slides`)).body.slides).toHaveLength(1)
  const patched = await user.api(`/presentations/${id}/slides/0`, {
    method: 'PATCH',
    body: { speaker_note: 'Mine' },
  })
  expect(patched.status).toBe(200)

  const body = { format: 'pdf' }
  await user.api(`/presentations/${id}/exports`, { method: 'POST', body })
  expect(await user.waitUntilSettled(id)).toMatchObject({
    ...{ run: 1, status: 'completed', error: null, revision: 2 },
    files: [{ format: 'pdf', revision: 2, stale: false }],
  })
  const last = (await (await user.subscribe(id)).rest()).at(-1)?.data
  expect(last).toMatchObject({ type: 'complete', presentation: { slides: [expect.anything()] } })
})

test('a copy has a deck, slides and outlines of its own', async () => {
  const user = await world.createUser()
  const original = await user.generate()
  const own = { userId: user.sub, id: original.id }
  const copy = await finished().duplicate({ ...asShared, own })
  expect(await user.read(copy.id)).toMatchObject({
    ...{ ...fileless, title: `${original.title} (Copy)`, slides_done: original.slides_done },
    ...{ template: original.template, language: original.language },
  })
  expect((await user.api(`/presentations/${copy.id}/outlines`)).body.outlines).toEqual(
    (await user.api(`/presentations/${original.id}/outlines`)).body.outlines,
  )
  await user.api(`/presentations/${original.id}`, { method: 'DELETE' })
  expect((await user.api(`/presentations/${copy.id}/slides`)).body.slides).toHaveLength(3)
})

test('copies and blank decks count in the totals, and in no window', async () => {
  const user = await world.createUser()
  const { id } = await user.generate()
  const own = { userId: user.sub, id }
  const decks = world.presenton.decks.size
  await expect(finished({ totalSlides: 5 }).duplicate({ ...asShared, own })).rejects.toMatchObject({
    code: 'QUOTA_EXHAUSTED',
  })
  await expect(
    finished({ total: 1 }).createBlank({ ...asShared, userId: user.sub }),
  ).rejects.toMatchObject({ code: 'QUOTA_EXHAUSTED' })
  expect(world.presenton.decks.size).toBe(decks)
  await finished({ total: 2, perHour: 1 }).duplicate({ ...asShared, own })
  const usage = (await user.api('/usage')).body
  expect([usage.total.used, usage.total_slides.used, usage.per_hour.used]).toEqual([2, 6, 1])
})

test('only a completed deck of the user can be copied', async () => {
  const user = await world.createUser()
  world.presenton.gates.hold('outlines')
  const { id } = await user.submit()
  const own = { userId: user.sub, id }
  await expect(finished().duplicate({ ...asShared, own })).rejects.toMatchObject({
    code: 'CONFLICT',
  })
  await expect(
    finished().duplicate({ ...asShared, own: { ...own, userId: 'other' } }),
  ).rejects.toMatchObject({ code: 'NOT_FOUND' })
  world.presenton.gates.releaseAll()
  await user.waitUntilSettled(id)
})
