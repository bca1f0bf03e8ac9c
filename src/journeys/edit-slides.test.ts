// Edits of single slides by instruction, in every version of upstream: runs of their own, of which
// nothing but the changed slide remains.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import type { RequestOptions, User } from './user.ts'
import { openWorld, type World } from './world.ts'

const usesChat = (shape: Shape) => shape === 'B1' || shape === 'B2'

describe.each(shapes)('with upstream shape %s', (shape) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({ shape })
  })
  afterEach(() => world.expectNoLeaks())
  afterAll(() => world.close())

  async function open() {
    const user = await world.createUser()
    const { id, presenton_presentation_id: deckId } = await user.generate()
    const deck = world.presenton.decks.get(String(deckId))
    if (!deck) throw new Error('upstream has no such deck')
    deck.theme = shape === 'B1' ? null : { name: 'dark' }
    return { user, id, deck }
  }

  const edit = (user: User, id: string, body: object, request: RequestOptions = {}) =>
    user.api(`/presentations/${id}/slides/1/edit`, { method: 'POST', body, ...request })

  async function eventsOf(user: User, id: string, run: number) {
    const reader = await user.subscribe(id)
    return (await reader.rest()).map(({ data }) => data).filter((data) => data.run === run)
  }

  test('an edit changes one slide, and its run ends with the deck', async () => {
    const { user, id, deck } = await open()
    const before = structuredClone(deck.slides)
    const accepted = await edit(user, id, { instruction: 'Say it with flowers.' })
    expect(accepted).toMatchObject({
      status: 202,
      body: { status: 'running', stage: 'edit', run: 2, revision: 1, error: null },
    })
    expect(await user.waitUntilSettled(id)).toMatchObject({
      status: 'completed',
      stage: null,
      error: null,
      revision: 2,
      files: [{ revision: 1, stale: true }],
    })
    const { slides } = (await user.api(`/presentations/${id}/slides`)).body
    expect(JSON.stringify(slides[1])).toContain('Say it with flowers.')
    expect(deck.slides.toSpliced(1, 1)).toEqual(before.toSpliced(1, 1))
    expect(deck.slides[1]).toMatchObject({ index: 1, layout: before[1]?.layout })
    expect(deck.theme).toEqual(shape === 'B1' ? null : { name: 'dark' })
    const events = await eventsOf(user, id, 2)
    expect(events.map(({ type }) => type)).toEqual(['queued', 'stage', 'slide_edited', 'complete'])
    expect(events[1]).toMatchObject({ stage: 'edit', attempt: 1 })
    expect(events[2]).toMatchObject({ index: 1, slide: slides[1], revision: 2, stage: 'edit' })
    expect(events[3]).toMatchObject({ download: null })
    const shown = events[3]?.presentation as { slides: { id: string }[] } | undefined
    expect(shown?.slides.map((slide) => slide.id)).toEqual(
      slides.map((slide: { id: string }) => slide.id),
    )
    expect(world.presenton.conversations.size).toBe(0)
    const calls = world.presenton.journal.filter(({ operation }) =>
      ['slide-edit', 'chat'].includes(operation),
    )
    expect(calls.map(({ operation }) => operation)).toEqual([
      usesChat(shape) ? 'chat' : 'slide-edit',
    ])
    expect(await world.query('select 1 from gateway.slide_edits')).toEqual([])
  })

  test('with export a fresh file follows', async () => {
    const { user, id } = await open()
    await edit(user, id, { instruction: 'Shorter, please.', export: true })
    expect(await user.waitUntilSettled(id)).toMatchObject({
      status: 'completed',
      revision: 2,
      files: [{ revision: 2, stale: false }],
    })
    const events = await eventsOf(user, id, 2)
    expect(events.map(({ type, stage }) => (type === 'stage' ? stage : type))).toEqual([
      'queued',
      'edit',
      'slide_edited',
      'export',
      'store',
      'stored',
      'complete',
    ])
    expect(events.at(-1)?.download).toMatchObject({ sha256: expect.any(String) })
  })

  test('an edit that changes nothing ends well, without a new revision', async () => {
    const { user, id, deck } = await open()
    const before = structuredClone(deck.slides)
    await edit(user, id, { instruction: 'tool:none' })
    expect(await user.waitUntilSettled(id)).toMatchObject({ error: null, revision: 1 })
    expect(deck.slides).toEqual(before)
    const events = await eventsOf(user, id, 2)
    expect(events.map(({ type }) => type)).toEqual(['queued', 'stage', 'complete'])
    expect((await user.api('/usage')).body.edits_per_day).toMatchObject({ used: 1 })
  })

  test('a failed edit leaves the deck as it was', async () => {
    const { user, id, deck } = await open()
    const before = structuredClone(deck.slides)
    const operation = usesChat(shape) ? 'chat' : 'slide-edit'
    const calls = () => world.presenton.journal.filter((entry) => entry.operation === operation)
    for (const [n, fault] of (
      ['fails-half-way', 'model-429', 'model-401', '500', '422', '401', '503'] as const
    ).entries()) {
      const sent = calls().length
      world.presenton.faults.inject(`${operation}:${fault}`)
      await edit(user, id, { instruction: 'Make it fail.' })
      expect(await user.waitUntilSettled(id), fault).toMatchObject({
        status: 'completed',
        run: n + 2,
        revision: 1,
        error: { code: fault === '422' ? 'UPSTREAM_REJECTED' : 'UPSTREAM_ERROR' },
      })
      expect(deck.slides, fault).toEqual(before)
      expect(calls().length - sent, fault).toBe(1)
    }
    expect((await eventsOf(user, id, 8)).at(-1)).toMatchObject({ type: 'error', stage: 'edit' })
    expect(world.presenton.conversations.size).toBe(0)
    const { items } = (await user.api('/notifications?limit=1')).body
    expect(items).toMatchObject([
      {
        title: 'Edit failed',
        notification_type: 'error',
        priority: 'high',
        category: 'generation',
      },
    ])
    expect((await user.api('/usage')).body.edits_per_day).toMatchObject({ used: 7 })
  })

  test('a cancel lets the call finish, and the deck is as it was', async () => {
    const { user, id, deck } = await open()
    const before = structuredClone(deck.slides)
    const point = usesChat(shape) ? 'chat:work' : 'slide-edit:work'
    world.presenton.gates.hold(point)
    await edit(user, id, { instruction: 'Not this.' })
    await world.presenton.gates.arrived(point)
    const call = world.presenton.journal.at(-1)!
    const cancel = () => user.api(`/presentations/${id}/cancel`, { method: 'POST' })
    expect(await cancel()).toMatchObject({ status: 202, body: { id } })
    expect(await cancel()).toMatchObject({ status: 202 })
    world.presenton.gates.release(point)
    expect(await user.waitUntilSettled(id)).toMatchObject({
      status: 'completed',
      error: { code: 'CANCELLED' },
      revision: 1,
    })
    expect(call.aborted).toBeUndefined()
    expect(deck.slides).toEqual(before)
    expect((await eventsOf(user, id, 2)).at(-1)).toMatchObject({ type: 'error', code: 'CANCELLED' })
    expect((await user.api('/usage')).body.edits_per_day).toMatchObject({ used: 1 })
  })

  test.runIf(usesChat(shape))('what a chat does beside the slide is undone', async () => {
    const { user, id, deck } = await open()
    const before = structuredClone(deck.slides)
    for (const instruction of [
      'tool:deleteSlide {"index":0}',
      'tool:addNewSlide {"index":2}',
      'tool:updateSlide {"index":0,"text":"Other"} tool:updateSlide {"index":2,"text":"Other"}',
      'tool:setPresentationTheme {"theme":{"name":"light"}}',
    ]) {
      await edit(user, id, { instruction })
      expect(await user.waitUntilSettled(id)).toMatchObject({ error: null, revision: 1 })
      expect(deck.slides, instruction).toEqual(before)
      expect(deck.n_slides).toBe(3)
      expect(deck.theme).toEqual(shape === 'B1' ? null : { name: 'dark' })
    }
    await edit(user, id, {
      instruction: 'tool:deleteSlide {"index":2} tool:updateSlide {"index":1}',
    })
    expect(await user.waitUntilSettled(id)).toMatchObject({ error: null, revision: 2 })
    expect(deck.slides.toSpliced(1, 1)).toEqual(before.toSpliced(1, 1))
    expect(JSON.stringify(deck.slides[1])).toContain('Changed by a tool')
  })
})
