// Saves of the editor, as it sends them: one slide, the whole deck, the title.

import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { User } from '../../journeys/user.ts'
import { createCalls, messagesOf, openPaidWorld, type PaidWorld } from '../paid/test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld())
})
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call, read } = createCalls(() => world)

// biome-ignore lint/suspicious/noExplicitAny: bodies of upstream.
type Body = Record<string, any>

async function makeDeck(user: User) {
  const { id, presenton_presentation_id } = await user.generate()
  const deckId = String(presenton_presentation_id)
  const deck = world.presenton.decks.get(deckId)!
  /** As an editor that is opened now. */
  const open = async (): Promise<Body> => (await read(user, `presentation/${deckId}`)).body
  const patch = (name: string, body: object) =>
    read(user, `presentation/${name}`, { method: 'PATCH', body: body as Body })
  const saveSlide = (slide: Body) => patch('slide_update', { slide })
  const saveDeck = (body: Body) => patch('update', body)
  return { id, deckId, deck, open, saveSlide, saveDeck }
}

const slideUpdate = 'PATCH /api/v1/ppt/presentation/slide_update'

test('a slide is saved, and counts if it has changed', async () => {
  const user = await world.createUser()
  const { id, deckId, deck, open, saveSlide } = await makeDeck(user)
  const slide = (await open()).slides[1]
  const saved = { ...slide, speaker_note: 'Mine', html_content: '<b>', owner_id: 'x', other: 1 }
  const first = await world.upstreamDuring(async () => {
    const answer = await saveSlide(saved)
    expect(answer).toMatchObject({ status: 200, body: { id: slide.id, speaker_note: 'Mine' } })
    expect(answer.body).not.toHaveProperty('owner_id')
  })
  expect(first).toEqual([`GET /api/v1/ppt/presentation/${deckId}`, slideUpdate])
  expect(deck.slides[1]).toMatchObject({ speaker_note: 'Mine', html_content: null, index: 1 })
  expect(deck.slides[1]).not.toHaveProperty('other')
  const after = { revision: 2, n_slides: 3, files: [{ revision: 1, stale: true }] }
  expect(await user.read(id)).toMatchObject(after)

  // The deck is known now.
  expect(await world.upstreamDuring(() => saveSlide(saved))).toEqual([slideUpdate])
  expect(await user.read(id)).toMatchObject({ revision: 2 })
  await saveSlide({ ...saved, speaker_note: 'Again' })
  expect(await user.read(id)).toMatchObject({ revision: 3 })
})

test('slides are added, copied, moved and removed, and an undo brings them back', async () => {
  const user = await world.createUser()
  const { id, deckId, deck, open, saveSlide, saveDeck } = await makeDeck(user)
  const shown = await open()
  const ids = () => deck.slides.map((slide) => slide.id)
  const numbered = (slides: Body[]) => slides.map((slide, index) => ({ ...slide, index }))
  const [a, b, c] = shown.slides
  const copy = { ...a, id: crypto.randomUUID() }
  const added = await saveDeck({ ...shown, n_slides: 4, slides: numbered([a, copy, b, c]) })
  expect(added).toMatchObject({ status: 200, body: { id: deckId, title: shown.title } })
  expect((added.body.slides as Body[]).map((slide) => slide.id)).toEqual([
    ...[a.id, copy.id, b.id, c.id],
  ])
  expect(await user.read(id)).toMatchObject({ revision: 2, n_slides: 4, slides_done: 4 })
  expect((await user.api('/usage')).body.total_slides.used).toBe(4)
  expect(deck).toMatchObject({ n_slides: 4 })

  // The new slide is known by the id that the editor gave it.
  expect(await world.upstreamDuring(() => saveSlide({ ...copy, speaker_note: 'New' }))).toEqual([
    slideUpdate,
  ])
  expect(deck.slides[1]?.speaker_note).toBe('New')

  await saveDeck({ ...shown, slides: numbered([c, a, b, copy]) })
  expect(ids()).toEqual([c.id, a.id, b.id, copy.id])
  await saveDeck({ ...shown, slides: numbered([c, a]) })
  expect(ids()).toEqual([c.id, a.id])
  expect(await user.read(id)).toMatchObject({ revision: 5, n_slides: 2, slides_done: 2 })
  expect((await user.api('/usage')).body.total_slides.used).toBe(2)
  await saveDeck(shown)
  expect(ids()).toEqual([a.id, b.id, c.id])
  expect(await user.read(id)).toMatchObject({ revision: 6, n_slides: 3 })
  // No slides at all change none.
  await saveDeck({ ...shown, slides: [] })
  expect(ids()).toHaveLength(3)
  expect(await user.read(id)).toMatchObject({ revision: 6 })
})

test('many saves at once are all kept, over two replicas', async () => {
  const user = await world.createUser()
  const { id, deck, open, saveSlide } = await makeDeck(user)
  const replica = await world.openReplica()
  onTestFinished(() => world.closeReplica(replica))
  const { slides } = await open()
  const results = await Promise.all(
    [0, 1, 2, 0, 1, 2].map((index, n) => {
      const slide = { ...slides[index], speaker_note: `Note ${n}` }
      if (n < 3) return saveSlide(slide)
      return read(user, 'presentation/slide_update', {
        ...{ method: 'PATCH', body: { slide }, gateway: replica },
      })
    }),
  )
  expect(results.map(({ status }) => status)).toEqual(Array(6).fill(200))
  for (const slide of deck.slides) expect(slide.speaker_note).toMatch(/^Note \d$/)
  expect(await user.read(id)).toMatchObject({ revision: 7 })
  // What this replica knew is not what the other one has made of it.
  expect((await user.api(`/presentations/${id}/slides`)).body.revision).toBe(7)
})

test('a title is the presentation’s; a technical one and none change nothing', async () => {
  const user = await world.createUser()
  const { id, deckId, deck, open, saveDeck } = await makeDeck(user)
  const technical = deck.title
  const renamed = await saveDeck({ id: deckId, title: '  The Marlow\n bridge ' })
  expect(renamed).toMatchObject({
    status: 200,
    body: { id: deckId, title: 'The Marlow bridge', slides: [], version: 'v2-standard' },
  })
  expect(await user.read(id)).toMatchObject({ title: 'The Marlow bridge', revision: 1 })
  expect(await open()).toMatchObject({ title: 'The Marlow bridge' })
  expect(deck.title).toBe(technical)
  for (const title of [`deck-${id}-1-1-0`, ' ', '', null, 7])
    expect((await saveDeck({ id: deckId, title })).body.title).toBe('The Marlow bridge')
  expect(await user.read(id)).toMatchObject({ title: 'The Marlow bridge' })

  const shown = await open()
  shown.slides.reverse()
  const slides = shown.slides.map((slide: Body, index: number) => ({ ...slide, index }))
  const both = await saveDeck({ ...shown, title: 'Reversed', slides })
  expect(both.body.title).toBe('Reversed')
  expect(await user.read(id)).toMatchObject({ title: 'Reversed', revision: 2 })
  await saveDeck({ ...shown, title: `DECK-${id}-1-1-0`, slides })
  expect(await user.read(id)).toMatchObject({ title: 'Reversed', revision: 2 })
  expect(deck.title).toBe(technical)
})

test('another theme counts, alone or with slides, and waits for the lock', async () => {
  const user = await world.createUser()
  const { id, deckId, deck, open, saveDeck } = await makeDeck(user)
  const theme = { name: 'Slate', colors: { primary: '#123456' } }
  const saved = await saveDeck({ id: deckId, theme })
  expect(saved).toMatchObject({ status: 200, body: { id: deckId, slides: [] } })
  expect(deck).toMatchObject({ theme, slides: { length: 3 } })
  expect(await user.read(id)).toMatchObject({ revision: 2, files: [{ stale: true }] })
  await saveDeck({ id: deckId, theme })
  const shown = await open()
  await saveDeck({ ...shown, theme })
  expect(await user.read(id)).toMatchObject({ revision: 2 })
  await saveDeck({ ...shown, theme: { name: 'Sand' } })
  expect(await user.read(id)).toMatchObject({ revision: 3 })

  world.presenton.faults.inject('update:reply-lost')
  // This version shows no theme, so that nothing tells whether it was stored.
  expect((await saveDeck({ id: deckId, theme })).status).toBe(502)
  expect((await saveDeck({ id: deckId, theme })).status).toBe(200)
  expect(await user.read(id)).toMatchObject({ revision: 5 })
  await world.query(
    `insert into gateway.deck_changes (presentation_id, token, expires_at)
     values ($1, gen_random_uuid(), now() + interval '1 second')`,
    [id],
  )
  const upstream = await world.upstreamDuring(async () => {
    const waiting = saveDeck({ id: deckId, theme: { name: 'Late' } })
    expect(deck.theme).toEqual(theme)
    expect((await waiting).status).toBe(200)
  })
  expect(upstream.filter((request) => request.startsWith('PATCH'))).toHaveLength(1)
  expect(await user.read(id)).toMatchObject({ revision: 6 })
})

test('a session that has ended saves nothing, also on a replica that has seen it', async () => {
  const user = await world.createUser()
  const { id, deck, open, saveSlide } = await makeDeck(user)
  const { slides } = await open()
  const save = (speaker_note: string) => saveSlide({ ...slides[0], speaker_note })
  expect((await save('first')).status).toBe(200)
  const end = `update gateway.maker_sessions set expires_at = now() + $2::interval where user_id = $1`
  await world.query(end, [user.sub, '0'])
  const upstream = await world.upstreamDuring(async () => {
    expect((await save('ended')).status).toBe(401)
    expect((await saveSlide({ ...slides[0], content: 'x' })).status).toBe(401)
  })
  expect(upstream).toEqual([])
  await world.query(end, [user.sub, '1 hour'])
  expect((await save('renewed')).status).toBe(200)
  expect(deck.slides[0]?.speaker_note).toBe('renewed')
  expect((await user.api(`/presentations/${id}`, { method: 'DELETE' })).status).toBe(204)
  expect((await save('deleted')).status).toBe(404)
})

test('saves pass during an export and a turn of the chat', async () => {
  const user = await world.createUser()
  const { id, deckId, deck, open, saveSlide, saveDeck } = await makeDeck(user)
  const shown = await open()
  world.presenton.gates.hold('export:work')
  await user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format: 'pdf' } })
  await world.presenton.gates.arrived('export:work')
  const [slide] = shown.slides
  expect((await saveSlide({ ...slide, speaker_note: 'During' })).status).toBe(200)
  expect((await saveDeck({ id: deckId, title: 'During' })).status).toBe(200)
  world.presenton.gates.releaseAll()
  await user.waitUntilSettled(id)
  const files = [{ format: 'pptx' }, { format: 'pdf', revision: 1, stale: true }]
  expect(await user.read(id)).toMatchObject({ revision: 2, title: 'During', files })

  world.presenton.gates.hold('chat:work')
  const body = { presentation_id: deckId, message: 'tool:deleteSlide {"index":2}' }
  const turn = messagesOf(call(user, 'chat/message/stream', { body }))
  await world.presenton.gates.arrived('chat:work')
  expect((await saveSlide({ ...slide, speaker_note: 'In a turn' })).status).toBe(200)
  world.presenton.gates.releaseAll()
  await turn
  expect(deck.slides[0]?.speaker_note).toBe('In a turn')
  expect(await user.read(id)).toMatchObject({ revision: 4, n_slides: 2 })
  // What the chat has removed is unknown from then on.
  expect((await saveSlide(shown.slides[2])).status).toBe(404)
})

test('JSON passes as text/plain, and in no other type', async () => {
  const user = await world.createUser()
  const { deckId, deck, open } = await makeDeck(user)
  const slide = { ...(await open()).slides[0], speaker_note: 'Ä as text' }
  const raw = (type: string, body: string | object) =>
    call(user, 'presentation/slide_update', {
      method: 'PATCH',
      headers: { 'content-type': type },
      body: body as Body,
    })
  const text = JSON.stringify({ slide })
  for (const type of ['text/plain;charset=UTF-8', 'application/json; charset=utf-16'])
    expect((await raw(type, text)).status, type).toBe(200)
  expect(deck.slides[0]?.speaker_note).toBe('Ä as text')
  for (const type of ['application/xml', 'multipart/form-data; boundary=x'])
    expect((await raw(type, text)).status, type).toBe(415)

  // Of a repeated key the last one counts, here and so upstream.
  const foreign = crypto.randomUUID()
  const twice = `{"slide":{"presentation":"${foreign}"},${text.slice(1, -2)},"presentation":"${deckId}"}}`
  expect((await raw('application/json', twice)).status).toBe(200)
  const last = `${text.slice(0, -2)},"presentation":"${foreign}"}}`
  expect((await raw('application/json', last)).status).toBe(404)
  for (const key of ['__proto__', 'constructor":{"prototype'])
    expect(
      (
        await raw(
          'application/json',
          `{"${key}":{"a":1}${key.length > 9 ? '}' : ''},${text.slice(1)}`,
        )
      ).status,
    ).toBe(400)
})
