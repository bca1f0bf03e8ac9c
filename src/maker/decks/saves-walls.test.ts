// Who may save, what of a save never goes upstream, what it may cost, and what a crash leaves.

import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { User } from '../../journeys/user.ts'
import type { Gateway } from '../../sandbox/gateway.ts'
import { waitFor } from '../../sandbox/wait-for.ts'
import {
  type CallOptions,
  createCalls,
  messagesOf,
  openPaidWorld,
  type PaidWorld,
} from '../paid/test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld())
})
afterEach(() => world.presenton.gates.releaseAll())
afterAll(() => close())

const { call, read } = createCalls(() => world)

// biome-ignore lint/suspicious/noExplicitAny: bodies of upstream.
type Body = Record<string, any>

const patch = (user: User, name: string, body: object, options: CallOptions = {}) =>
  read(user, `presentation/${name}`, { method: 'PATCH', body: body as Body, ...options })

async function makeDeck(user: User) {
  const { id, presenton_presentation_id } = await user.generate()
  const deckId = String(presenton_presentation_id)
  const shown: Body = (await read(user, `presentation/${deckId}`)).body
  return { id, deckId, deck: world.presenton.decks.get(deckId)!, shown, slide: shown.slides[0] }
}

test('no other user saves anything, and upstream is not asked', async () => {
  const [user, other] = [await world.createUser(), await world.createUser('other')]
  const { deckId, shown, slide } = await makeDeck(user)
  await call(other, '/dashboard')
  const upstream = await world.upstreamDuring(async () => {
    expect((await patch(other, 'slide_update', { slide })).status).toBe(404)
    expect((await patch(other, 'update', shown)).status).toBe(404)
    expect((await patch(other, 'update', { id: deckId, title: 'x' })).status).toBe(404)
    for (const site of ['cross-site', 'same-site', 'none']) {
      const headers = { 'sec-fetch-site': site }
      expect((await patch(user, 'slide_update', { slide }, { headers })).status, site).toBe(403)
    }
    const { makerUrl } = world.gateways[0]!
    for (const name of ['slide_update', 'update']) {
      const visitor = await fetch(`${makerUrl}/api/v1/ppt/presentation/${name}`, {
        ...{ method: 'PATCH', headers: { origin: makerUrl ?? '' }, body: '{}' },
      })
      expect(visitor.status, name).toBe(401)
    }
    await world.query('update gateway.maker_sessions set expires_at = now() where user_id = $1', [
      user.sub,
    ])
    expect((await patch(user, 'slide_update', { slide })).status).toBe(401)
    expect((await patch(user, 'update', shown)).status).toBe(401)
  })
  expect(upstream).toEqual([])
})

test('nested ids lead nowhere else, and spellings of one’s own lead home', async () => {
  const [user, other] = [await world.createUser(), await world.createUser('other')]
  const mine = await makeDeck(user)
  const second = await makeDeck(user)
  const theirs = await makeDeck(other)
  await patch(user, 'slide_update', { slide: mine.slide })
  const planted = (presentation: unknown) => ({
    ...mine.shown,
    slides: [...mine.shown.slides, { ...mine.slide, id: crypto.randomUUID(), presentation }],
  })
  const upstream = await world.upstreamDuring(async () => {
    for (const id of [theirs.deckId, second.deckId, crypto.randomUUID(), 'x', '', null, 1, {}]) {
      expect((await patch(user, 'update', planted(id))).status, String(id)).toBe(404)
      if (id === second.deckId) continue
      const slide = { ...mine.slide, presentation: id }
      expect((await patch(user, 'slide_update', { slide })).status, String(id)).toBe(404)
    }
    expect((await patch(user, 'update', { ...mine.shown, id: second.deckId })).status).toBe(404)
    for (const body of [{}, { slide: null }, { slide: [] }, []])
      expect((await patch(user, 'slide_update', body)).status).toBe(404)
    for (const id of ['x', null, undefined])
      expect((await patch(user, 'slide_update', { slide: { ...mine.slide, id } })).status).toBe(404)
  })
  expect(upstream).toEqual([])
  for (const id of [theirs.slide.id, second.slide.id, crypto.randomUUID()]) {
    const asked = await world.upstreamDuring(async () => {
      const slide = { ...mine.slide, id, speaker_note: 'planted' }
      expect((await patch(user, 'slide_update', { slide })).status).toBe(404)
    })
    expect(asked.filter((request) => !request.startsWith('GET'))).toEqual([])
  }
  // A new slide with the id of one elsewhere.
  for (const id of [theirs.slide.id, second.slide.id]) {
    const slides = [...mine.shown.slides, { ...mine.slide, id, speaker_note: 'planted' }]
    expect((await patch(user, 'update', { ...mine.shown, slides })).status).toBe(404)
  }
  const [hex, upper] = [mine.deckId.replaceAll('-', ''), mine.slide.id.toUpperCase()]
  const spelt = { ...mine.slide, id: `{${upper}}`, presentation: `urn:uuid:${hex}` }
  const saved = await patch(user, 'slide_update', { slide: { ...spelt, speaker_note: 'Home' } })
  expect(saved).toMatchObject({ status: 200, body: { id: mine.slide.id } })
  const slides = mine.shown.slides.map((one: Body) => ({ ...one, presentation: undefined }))
  expect((await patch(user, 'update', { id: hex.toUpperCase(), slides })).status).toBe(200)
  expect(mine.deck.slides.every(({ presentation }) => presentation === mine.deckId)).toBe(true)
  expect(JSON.stringify([theirs.deck, second.deck])).not.toContain('planted')
})

test('what is no slide is refused before upstream is asked to write', async () => {
  const user = await world.createUser()
  const { id, deckId, shown, slide } = await makeDeck(user)
  const asked = await world.upstreamDuring(async () => {
    for (const wrong of [
      ...[{ content: 'x' }, { ui: [] }, { speaker_note: 1 }, { layout: null }, { index: -1 }],
      ...[{ speaker_note: 'a\0b' }, { content: { a: '\ud800' } }, { properties: 'x' }],
    ]) {
      const what = JSON.stringify(wrong)
      const one = await patch(user, 'slide_update', { slide: { ...slide, ...wrong } })
      expect(one, what).toMatchObject({ status: 400, body: { detail: expect.any(String) } })
      const all = { ...shown, slides: [{ ...slide, ...wrong }] }
      expect((await patch(user, 'update', all)).status, what).toBe(400)
    }
    const twice = { ...shown, slides: [slide, slide] }
    expect((await patch(user, 'update', twice)).status).toBe(400)
    expect((await patch(user, 'update', { ...shown, theme: 'x' })).status).toBe(400)
    for (const text of ['<img src="http://10.0.0.1/x">', '![x](http://10.0.0.1/x)']) {
      const ui = { ...slide.ui, components: [{ elements: [{ type: 'text', text }] }] }
      expect((await patch(user, 'slide_update', { slide: { ...slide, ui } })).status).toBe(400)
      const slides = [{ ...slide, content: { text } }, ...shown.slides.slice(1)]
      expect((await patch(user, 'update', { ...shown, slides })).status).toBe(400)
      const change = { method: 'PATCH', body: { ui } }
      expect((await user.api(`/presentations/${id}/slides/1`, change)).status).toBe(400)
    }
    for (const src of [
      ...['http://169.254.169.254/latest', 'http://localhost:5001/api', 'file:///etc/passwd'],
      ...['/app_data/images/users/other/x.png', '/static/../api/v1/auth/status', 'api/v1/x'],
      ...['https://images.example/x.png', '/app_data/exports/x.pptx', '//evil.example/x.png'],
    ]) {
      const ui = { ...slide.ui, components: [{ elements: [{ type: 'image', data: src }] }] }
      expect((await patch(user, 'slide_update', { slide: { ...slide, ui } })).status, src).toBe(400)
      const content = { list: [{ image_url: src }] }
      const slides = [{ ...slide, content }, ...shown.slides.slice(1)]
      expect((await patch(user, 'update', { ...shown, slides })).status, src).toBe(400)
      const theme = { logo: { url: src } }
      expect((await patch(user, 'update', { ...shown, theme })).status, src).toBe(400)
      expect((await patch(user, 'update', { id: deckId, theme })).status, src).toBe(400)
    }
  })
  expect(asked.filter((request) => !request.startsWith('GET'))).toEqual([])
  expect(await user.read(id)).toMatchObject({ revision: 1 })
})

test('pictures of the account pass and become readable, and those of the deck stay', async () => {
  const user = await world.createUser()
  const { id, deck, shown, slide } = await makeDeck(user)
  const { body: picture } = await read(user, 'images/generate?prompt=river')
  const content = { image: { __image_url__: picture }, alt: 'A river' }
  const saved = await patch(user, 'slide_update', { slide: { ...slide, content } })
  expect(saved.status).toBe(200)
  const rows = await world.query('select path from gateway.assets where presentation_id = $1', [id])
  expect(rows).toContainEqual({ path: picture })

  const old = 'https://pictures.example/before.png'
  deck.slides[1]!.content = { image: { url: old } }
  const slides = [{ ...slide, content: { href: old } }, ...shown.slides.slice(1)]
  await user.api(`/presentations/${id}/slides/2`, { method: 'PATCH', body: { speaker_note: 'x' } })
  expect((await patch(user, 'update', { ...shown, slides })).status).toBe(200)
  // It was in the deck before, so an undo may name it again.
  await patch(user, 'update', shown)
  expect((await patch(user, 'update', { ...shown, slides })).status).toBe(200)
  for (const logo of [picture, old]) {
    const theme = { logo_url: logo }
    expect((await patch(user, 'update', { id: shown['id'], theme })).status, String(logo)).toBe(200)
  }
})

test('a deck that a run works on is not saved', async () => {
  const user = await world.createUser()
  const { id, deckId, shown, slide } = await makeDeck(user)
  const refused = async () => {
    const asked = await world.upstreamDuring(async () => {
      expect((await patch(user, 'slide_update', { slide })).status).toBe(409)
      expect((await patch(user, 'update', shown)).status).toBe(409)
      expect((await patch(user, 'update', { id: deckId, title: 'No' })).status).toBe(409)
    })
    expect(asked.filter((request) => request.startsWith('PATCH'))).toEqual([])
  }
  world.presenton.gates.hold('chat:work')
  const edit = { method: 'POST', body: { instruction: 'Shorter.' } }
  await user.api(`/presentations/${id}/slides/0/edit`, edit)
  await world.presenton.gates.arrived('chat:work')
  await refused()
  world.presenton.gates.releaseAll()
  await user.waitUntilSettled(id)
  world.presenton.gates.hold('slides:slide')
  const headers = { rsc: '1' }
  await call(user, `/presentation?id=${deckId}&stream=true`, { headers })
  const stream = messagesOf(call(user, `presentation/stream/${deckId}`))
  await world.presenton.gates.arrived('slides:slide')
  await refused()
  world.presenton.gates.releaseAll()
  expect((await stream).at(-1)?.['type']).toBe('complete')
  // An editor that still shows the deck before would bring it back.
  expect((await patch(user, 'update', { ...shown, title: 'Back' })).status).toBe(409)
  expect((await patch(user, 'slide_update', { slide })).status).toBe(404)
  const present = (await read(user, `presentation/${deckId}`)).body as Body
  expect((await patch(user, 'update', { ...present, id: deckId })).status).toBe(200)
})

test('slides beyond the limits are not added, and fewer always pass', async () => {
  const user = await world.createUser()
  const { id, deckId, shown } = await makeDeck(user)
  const limited = await world.openReplica({ MAX_SLIDES: '3', QUOTA_TOTAL_SLIDES: '0' })
  const poor = await world.openReplica({ QUOTA_TOTAL_SLIDES: '3' })
  onTestFinished(() => Promise.all([limited, poor].map(world.closeReplica)).then(() => undefined))
  const [first] = shown.slides
  const more = (slides: Body[]) => ({ ...shown, slides: [...slides, copyOf(first)] })
  const asked = await world.upstreamDuring(async () => {
    const tooMany = await patch(user, 'update', more(shown.slides), { gateway: limited })
    expect(tooMany).toMatchObject({ status: 400, body: { detail: expect.stringMatching(/3/) } })
    expect((await patch(user, 'update', more(shown.slides), { gateway: poor })).status).toBe(402)
  })
  expect(asked.filter((request) => request.startsWith('PATCH'))).toEqual([])
  expect((await user.api('/usage')).body.total_slides.used).toBe(3)

  // What the chat has added stays, but nothing more can be added.
  const message = 'tool:addNewSlide {"index":0}'
  await messagesOf(
    call(user, 'chat/message/stream', { body: { presentation_id: deckId, message } }),
  )
  const four = (await read(user, `presentation/${deckId}`)).body as Body
  expect((await patch(user, 'update', four, { gateway: limited })).status).toBe(200)
  expect((await patch(user, 'update', more(four.slides), { gateway: limited })).status).toBe(400)
  expect(await user.read(id)).toMatchObject({ n_slides: 4, slides_done: 4 })
})

const copyOf = (slide: Body) => ({ ...slide, id: crypto.randomUUID(), index: 9 })

test('a lost answer is looked up, and an unknown outcome counts', async () => {
  const user = await world.createUser()
  const { id, deck, shown, slide } = await makeDeck(user)
  const save = (speaker_note: string) =>
    patch(user, 'slide_update', { slide: { ...slide, speaker_note } })
  world.presenton.faults.inject('slide-update:reply-lost')
  expect(await save('stored')).toMatchObject({ status: 200, body: { speaker_note: 'stored' } })
  expect(await user.read(id)).toMatchObject({ revision: 2 })
  world.presenton.faults.inject('update:reply-lost')
  const slides = [...shown.slides, copyOf(slide)]
  const lost = await patch(user, 'update', { ...shown, slides })
  expect(lost).toMatchObject({ status: 200, body: { slides: { length: 4 } } })
  expect(await user.read(id)).toMatchObject({ revision: 3, n_slides: 4 })
  world.presenton.faults.inject('slide-update:500')
  expect((await save('failed')).status).toBe(502)
  expect(await user.read(id)).toMatchObject({ revision: 3 })
  world.presenton.faults.inject('slide-update:reset')
  expect((await save('reset')).status).toBe(502)
  // It is unknown what a lost request still does.
  expect((await save('after')).status).toBe(200)
  expect(await user.read(id)).toMatchObject({ revision: 5 })
  world.presenton.faults.inject('slide-update:404')
  expect((await save('gone')).status).toBe(404)
  expect(deck.slides[0]?.speaker_note).toBe('after')
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

test.each([
  ['slide-update', false],
  ['slide-update:reply', true],
] as const)('a crash at %s leaves a free deck of a later revision', async (point, isStored) => {
  const user = await world.createUser()
  const { id, deck, slide } = await makeDeck(user)
  const port = await freePort()
  const env = { WORKER: 'false', MAKER_PORT: String(port), LEASE_SECONDS: '2' }
  const { kill, url } = await world.spawnReplica(env)
  const gateway = { url, makerUrl: `http://localhost:${port}` } as Gateway
  const save = (speaker_note: string, options: CallOptions = {}) =>
    patch(user, 'slide_update', { slide: { ...slide, speaker_note } }, options)
  await save('before', { gateway })
  world.presenton.gates.hold(point)
  const lost = save('lost', { gateway }).catch(() => undefined)
  await world.presenton.gates.arrived(point)
  await kill()
  await lost
  world.presenton.gates.releaseAll()
  expect(deck.slides[0]?.speaker_note).toBe(isStored ? 'lost' : 'before')
  await waitFor(async () => expect((await save('next')).status).toBe(200))
  // 2 before the crash, 3 for the intent, 4 for the next save.
  expect(await user.read(id)).toMatchObject({ revision: 4 })
})
