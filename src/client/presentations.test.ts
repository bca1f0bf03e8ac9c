// Calls about presentations against a running gateway.

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { brief } from '../journeys/user.ts'
import { openWorld, type World } from '../journeys/world.ts'
import { openReader } from '../sandbox/reader.ts'
import { createClient, type PresentationEvent } from './client.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

async function open() {
  const { token } = await world.createUser()
  return createClient({ baseUrl: world.url, token }).presentations
}

const notFound = { name: 'GatewayError', code: 'NOT_FOUND', status: 404 }

it('reads the outlines and approves changed ones', async () => {
  const presentations = await open()
  const { id } = await presentations.create({ ...brief, review_outlines: true })
  await presentations.wait(id)
  const { outlines } = await presentations.outlines(id)
  expect(outlines).toHaveLength(brief.n_slides)
  const approved = await presentations.approveOutlines(id, {
    outlines: ['# Fewer slides', '# Better invoices'],
    title: 'Two of three',
  })
  expect(approved).toMatchObject({ id, status: 'queued', n_slides: 2, title: 'Two of three' })
  expect(await presentations.wait(id)).toMatchObject({ status: 'completed', slides_done: 2 })
  expect(await presentations.outlines(id)).toEqual({
    outlines: ['# Fewer slides', '# Better invoices'],
    title: 'Two of three',
  })
  await expect(presentations.approveOutlines(id)).rejects.toMatchObject({ code: 'CONFLICT' })
})

it('approves outlines as they are', async () => {
  const presentations = await open()
  const { id } = await presentations.create({ ...brief, review_outlines: true })
  expect(await presentations.wait(id)).toMatchObject({ status: 'awaiting_outlines' })
  const before = await presentations.outlines(id)
  await presentations.approveOutlines(id)
  expect(await presentations.wait(id)).toMatchObject({ status: 'completed' })
  expect(await presentations.outlines(id)).toEqual(before)
})

it('renames', async () => {
  const [presentations, others] = [await open(), await open()]
  const { id } = await presentations.create(brief)
  await presentations.wait(id)
  const title = 'Brücke – 橋 🌉'
  expect(await presentations.rename(id, title)).toMatchObject({ id, title })
  expect(await presentations.get(id)).toMatchObject({ title })
  await expect(others.rename(id, 'Mine')).rejects.toMatchObject(notFound)
  await expect(presentations.rename(id, '')).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
    status: 400,
  })
})

it('cancels, and goes on after a retry', async () => {
  const [presentations, others] = [await open(), await open()]
  world.presenton.gates.hold('slides:slide')
  const { id } = await presentations.create(brief)
  await world.presenton.gates.arrived('slides:slide')
  await expect(others.cancel(id)).rejects.toMatchObject(notFound)
  expect(await presentations.cancel(id)).toMatchObject({ id, status: 'cancelled' })
  const events: PresentationEvent[] = []
  for await (const event of presentations.events(id)) events.push(event)
  expect(events.at(-1)).toMatchObject({ type: 'error', code: 'CANCELLED' })
  world.presenton.gates.releaseAll()
  expect(await presentations.retry(id)).toMatchObject({ id, run: 2, status: 'queued' })
  expect(await presentations.wait(id)).toMatchObject({ status: 'completed' })
})

it('makes tickets that open one event stream without a token', async () => {
  const [presentations, others] = [await open(), await open()]
  const { id } = await presentations.create(brief)
  await presentations.wait(id)
  await expect(others.ticket(id)).rejects.toMatchObject(notFound)
  const { ticket } = await presentations.ticket(id)
  const url = `${world.url}/api/v1/presentations/${id}/events?ticket=${ticket}`
  const read = await (await openReader(url)).rest()
  expect(read.at(-1)?.data).toMatchObject({ type: 'complete' })
  const again = await openReader(url)
  expect(again.status).toBe(401)
  again.close()
})
