// Changes of the slides of finished decks, in every version of upstream.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import type { ApiResponse, RequestOptions, User } from './user.ts'
import { openWorld, type World } from './world.ts'

const drawnFromUi = (shape: Shape) => shape === 'B1' || shape === 'B2'

describe.each(shapes)('with upstream shape %s', (shape) => {
  let world: World
  beforeAll(async () => {
    world = await openWorld({ shape, env: { MAX_SLIDES: '5' } })
  })
  afterEach(() => world.expectNoLeaks())
  afterAll(() => world.close())

  async function open() {
    const user = await world.createUser()
    const { id, presenton_presentation_id: deckId } = await user.generate()
    const deck = world.presenton.decks.get(String(deckId))
    if (!deck) throw new Error('upstream has no such deck')
    deck.theme = { name: 'dark' }
    const call = (path: string, request?: RequestOptions) =>
      user.api(`/presentations/${id}/slides${path}`, request)
    return { user, id, deck, call }
  }

  const idsOf = ({ body }: ApiResponse) => body.slides.map(({ id }: { id: string }) => id)

  test('replaced members are stored, and everything else stays', async () => {
    const { user, id, deck, call } = await open()
    const before = structuredClone(deck.slides)
    const change = {
      content: { title: 'Ours' },
      ...(drawnFromUi(shape) && { ui: { components: [] } }),
      speaker_note: 'Say it slowly.\nThen stop.',
    }
    const changed = await call('/1', { method: 'PATCH', body: change })
    expect({ status: changed.status, etag: changed.headers.get('etag') }).toEqual({
      status: 200,
      etag: '"2"',
    })
    expect(changed.body).toMatchObject({ revision: 2 })
    expect(changed.body.slides[1]).toMatchObject({ index: 1, id: before[1]?.id, ...change })
    expect(changed.body).toEqual((await call('')).body)
    expect(deck.slides).toEqual(before.with(1, { ...before[1]!, ...change }))
    expect(deck.theme).toEqual({ name: 'dark' })
    expect(await user.read(id)).toMatchObject({
      revision: 2,
      files: [{ revision: 1, stale: true }],
    })
  })

  test('what upstream changes beside the replaced slide is restored, and GET counts nothing', async () => {
    const { user, id, deck, call } = await open()
    const before = structuredClone(deck.slides)
    const point = drawnFromUi(shape) ? 'slide-update:reply' : 'update'
    world.presenton.gates.hold(point)
    const changing = call('/0', { method: 'PATCH', body: { speaker_note: 'Ours' } })
    await world.presenton.gates.arrived(point)
    // Where all slides are written, upstream's own change comes before that, and is undone by it.
    Object.assign(deck.slides[1]!, { speaker_note: 'Theirs' })
    world.presenton.gates.release(point)
    expect(await changing).toMatchObject({ status: 200, body: { revision: 2 } })
    expect(deck.slides).toEqual(before.with(0, { ...before[0]!, speaker_note: 'Ours' }))
    Object.assign(deck.slides[2]!, { speaker_note: 'Upstream alone' })
    expect((await call('')).body).toMatchObject({
      revision: 2,
      slides: { 2: { id: before[2]?.id } },
    })
    const download = await user.api(`/presentations/${id}/download`)
    expect(download.status).toBe(302)
    // The next change finds it.
    const same = { method: 'PATCH', body: { speaker_note: 'Ours' } }
    expect((await call('/0', same)).body).toMatchObject({ revision: 3 })
  })

  test('one member alone is replaced, where it is drawn', async () => {
    const { deck, call } = await open()
    const [first] = structuredClone(deck.slides)
    const patch = (body: object) => call('/0', { method: 'PATCH', body })
    expect(await patch({ speaker_note: '' })).toMatchObject({ status: 200 })
    expect(deck.slides[0]).toEqual({ ...first, speaker_note: '' })
    const drawn = drawnFromUi(shape) ? 'ui' : 'content'
    const other = drawnFromUi(shape) ? 'content' : 'ui'
    expect(await patch({ [other]: { a: 1 } })).toMatchObject({
      status: 409,
      body: { code: 'NOT_SUPPORTED' },
    })
    expect(await patch({ [drawn]: { a: 1 } })).toMatchObject({ status: 200, body: { revision: 3 } })
    expect(deck.slides[0]).toEqual({ ...first, speaker_note: '', [drawn]: { a: 1 } })
  })

  test('what changes nothing leaves the revision', async () => {
    const { deck, call } = await open()
    const { speaker_note: note } = deck.slides[0]!
    const patch = (body: object) => call('/0', { method: 'PATCH', body })
    expect((await patch({ speaker_note: note })).body.revision).toBe(1)
    expect((await patch({ speaker_note: 'Other' })).body.revision).toBe(2)
    expect((await patch({ speaker_note: 'Other' })).body.revision).toBe(2)
    const order = { method: 'PUT', body: { order: [0, 1, 2] } }
    expect((await call('/order', order)).body.revision).toBe(2)
    expect((await call('')).body.revision).toBe(2)
  })

  test('slides are added, removed and reordered', async () => {
    const { user, id, deck, call } = await open()
    const [a, b, c] = deck.slides.map((slide) => slide.id)
    const copied = structuredClone(deck.slides[2]!)
    const added = await call('', { method: 'POST', body: { after: -1, copy_of: 2 } })
    expect({ status: added.status, etag: added.headers.get('etag') }).toEqual({
      status: 201,
      etag: '"2"',
    })
    const [copy] = idsOf(added)
    expect(idsOf(added)).toEqual([copy, a, b, c])
    expect([a, b, c]).not.toContain(copy)
    expect(deck.slides[0]).toEqual({ ...copied, id: copy, index: 0 })
    expect(deck.slides.map(({ index }) => index)).toEqual([0, 1, 2, 3])
    expect(deck.n_slides).toBe(4)
    expect(await user.read(id)).toMatchObject({ n_slides: 4, slides_done: 4, revision: 2 })
    expect((await user.api('/usage')).body.total_slides).toMatchObject({ used: 4 })

    const reordered = await call('/order', { method: 'PUT', body: { order: [3, 2, 1, 0] } })
    expect(reordered).toMatchObject({ status: 200, body: { revision: 3 } })
    expect(idsOf(reordered)).toEqual([c, b, a, copy])

    const removed = await call('/1', { method: 'DELETE' })
    expect(removed).toMatchObject({ status: 200, body: { revision: 4 } })
    expect(idsOf(removed)).toEqual([c, a, copy])
    expect(removed.body.slides.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2])
    expect(await user.read(id)).toMatchObject({ n_slides: 3, slides_done: 3 })
    // A version that does not show its theme cannot keep it through such a change.
    expect(deck.theme).toEqual(shape === 'B1' ? null : { name: 'dark' })
  })

  test('a blank slide is added where upstream has one', async () => {
    const { deck, call } = await open()
    const added = await call('', { method: 'POST', body: { after: 2 } })
    if (!drawnFromUi(shape)) {
      expect(added).toMatchObject({ status: 409, body: { code: 'NOT_SUPPORTED' } })
      return expect(deck.slides).toHaveLength(3)
    }
    expect(added).toMatchObject({ status: 201 })
    expect(added.body.slides[3]).toMatchObject({ layout: '__blank_slide__', content: {}, index: 3 })
  })

  test('limits, ranges and the last slide', async () => {
    const { deck, call } = await open()
    const add = (body: object) => call('', { method: 'POST', body })
    for (const body of [
      { after: 3, copy_of: 0 },
      { after: -2, copy_of: 0 },
      { after: 0, copy_of: 3 },
    ])
      expect(await add(body), JSON.stringify(body)).toMatchObject({ status: 404 })
    for (const index of ['3', '99999999', '-1', 'x', '1.0'])
      for (const method of ['PATCH', 'DELETE'])
        expect(
          await call(`/${index}`, {
            method,
            ...(method === 'PATCH' && { body: { speaker_note: 'x' } }),
          }),
          `${method} ${index}`,
        ).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
    for (const order of [[0, 1], [0, 1, 1], [0, 1, 3], [0, 1, 2, 3], [], [0, 1, 1.5]])
      expect(await call('/order', { method: 'PUT', body: { order } })).toMatchObject({
        status: 400,
      })
    for (let n = 0; n < 2; n += 1)
      expect(await add({ after: 0, copy_of: 0 })).toMatchObject({ status: 201 })
    expect(await add({ after: 0, copy_of: 0 })).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    })
    for (let n = 0; n < 4; n += 1)
      expect(await call('/0', { method: 'DELETE' })).toMatchObject({ status: 200 })
    expect(await call('/0', { method: 'DELETE' })).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT' },
    })
    expect(deck.slides).toHaveLength(1)
  })

  test('a further export shows the changed deck, and its file is fresh', async () => {
    const { user, id, call } = await open()
    await call('/order', { method: 'PUT', body: { order: [2, 1, 0] } })
    const { body } = await call('')
    expect(await user.read(id)).toMatchObject({ files: [{ stale: true }] })
    await user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format: 'pptx' } })
    expect(await user.waitUntilSettled(id)).toMatchObject({
      revision: 2,
      files: [{ revision: 2, stale: false }],
    })
    const events = await (await user.subscribe(id)).rest()
    const shown = events.at(-1)?.data.presentation as { slides: { id: string }[] }
    expect(shown.slides.map((slide) => slide.id)).toEqual(idsOf({ body } as ApiResponse))
  })
})

test('a change is based on the revision that If-Match names', async () => {
  const world = await openWorld()
  const user: User = await world.createUser()
  const { id } = await user.generate()
  const path = `/presentations/${id}/slides`
  const patch = (ifMatch: string, note: string) =>
    user.api(`${path}/0`, {
      method: 'PATCH',
      headers: { 'if-match': ifMatch },
      body: { speaker_note: note },
    })
  expect(await patch('"1"', 'one')).toMatchObject({ status: 200, body: { revision: 2 } })
  for (const stale of ['"1"', 'W/"2"', '"1", "3"']) {
    const refused = await patch(stale, 'two')
    expect(refused).toMatchObject({ status: 412, body: { code: 'REVISION_CONFLICT' } })
    expect(refused.headers.get('etag')).toBe('"2"')
  }
  expect(await patch('2', 'three')).toMatchObject({ status: 400 })
  expect(await patch('*', 'four')).toMatchObject({ status: 200, body: { revision: 3 } })
  expect(await patch('"1", "3"', 'five')).toMatchObject({ status: 200, body: { revision: 4 } })
  for (const [method, rest, body] of [
    ['DELETE', '/0', undefined],
    ['PUT', '/order', { order: [2, 1, 0] }],
    ['POST', '', { after: 0, copy_of: 0 }],
  ] as const)
    expect(
      await user.api(`${path}${rest}`, { method, body, headers: { 'if-match': '"1"' } }),
    ).toMatchObject({ status: 412 })
  expect((await user.api(path)).body).toMatchObject({ revision: 4, slides: { length: 3 } })
  await world.expectNoLeaks()
  await world.close()
})
