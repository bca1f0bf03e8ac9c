// Turns of the chat, images, exports and copies, over real sockets and with real workers.

import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { endAbandonedTurns } from '../../database/chat-turns.ts'
import { type User, brief as userBrief } from '../../journeys/user.ts'
import {
  type CallOptions,
  createCalls,
  messagesOf,
  openPaidWorld,
  type PaidWorld,
  submitHeldInSlides,
} from './test-world.ts'

const waits = { timeout: 20_000, interval: 50 }

let world: PaidWorld['world']
let database: PaidWorld['database']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, database, close } = await openPaidWorld())
})
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call, read } = createCalls(() => world)

async function makeDeck(user: User) {
  const { id, presenton_presentation_id: deckId } = await user.generate()
  return { id, deckId: String(deckId) }
}

const chat = (user: User, deckId: string, message: string, options: CallOptions = {}) =>
  call(user, 'chat/message/stream', { body: { presentation_id: deckId, message }, ...options })

const editsOf = async (user: User) => (await user.api('/usage')).body.edits_per_day.used as number

test('a turn costs one edit, and the deck is read after it', async () => {
  const user = await world.createUser()
  const { deckId, id } = await makeDeck(user)
  const message = 'tool:deleteSlide {"index":1}'
  const messages = await messagesOf(chat(user, deckId, message))
  expect(messages.map(({ type }) => type)).toEqual([
    ...['status', 'trace', 'trace', 'trace', 'chunk', 'status', 'complete'],
  ])
  expect(messages.at(-1)?.chat).toMatchObject({ tool_calls: ['deleteSlide'] })
  expect(await user.read(id)).toMatchObject({
    ...{ revision: 2, n_slides: 2, slides_done: 2, files: [{ stale: true }] },
  })
  expect(await editsOf(user)).toBe(1)
  expect((await user.api('/usage')).body.total_slides.used).toBe(2)

  const { body } = await read(user, 'chat/message', {
    body: { presentation_id: deckId, message: 'tool:none' },
  })
  expect(body).toMatchObject({ conversation_id: expect.any(String), tool_calls: [] })
  expect(await user.read(id)).toMatchObject({ revision: 2 })
})

test('a turn goes on when its tab closes', async () => {
  const user = await world.createUser()
  const { deckId, id } = await makeDeck(user)
  world.presenton.gates.hold('chat:work')
  const response = await chat(user, deckId, 'tool:deleteSlide {"index":0}')
  await world.presenton.gates.arrived('chat:work')
  await response.body?.cancel()
  world.presenton.gates.releaseAll()
  await vi.waitFor(async () => expect(await user.read(id)).toMatchObject({ revision: 2 }), waits)
  expect(world.presenton.decks.get(deckId)?.slides).toHaveLength(2)
  expect(await world.query('select 1 from gateway.chat_turns')).toEqual([])
})

test('a turn holds the deck: runs, changes and other turns are refused', async () => {
  const user = await world.createUser()
  const { deckId, id } = await makeDeck(user)
  world.presenton.gates.hold('chat:work')
  const turn = messagesOf(chat(user, deckId, 'tool:none'))
  await world.presenton.gates.arrived('chat:work')
  const edit = { method: 'POST', body: { instruction: 'Shorter.' } }
  const save = { method: 'PATCH', body: { speaker_note: 'Mine' } }
  const file = { method: 'POST', body: { format: 'pdf' } }
  const conflict = { status: 409, body: { code: 'CONFLICT' } }
  expect(await user.api(`/presentations/${id}/slides/0/edit`, edit)).toMatchObject(conflict)
  expect(await user.api(`/presentations/${id}/slides/0`, save)).toMatchObject(conflict)
  expect(await user.api(`/presentations/${id}/exports`, file)).toMatchObject(conflict)
  expect((await chat(user, deckId, 'tool:none')).status).toBe(409)
  world.presenton.gates.releaseAll()
  expect((await turn).at(-1)?.type).toBe('complete')
  expect((await user.api(`/presentations/${id}/slides/0`, save)).status).toBe(200)
})

test('a turn about outlines works on those kept here, and changes them', async () => {
  const user = await world.createUser()
  const { id } = await user.submit({ ...userBrief, review_outlines: true })
  await user.waitUntilSettled(id)
  const { presenton_presentation_id: deckId } = await user.read(id)
  const slides = [{ content: '# One' }, { content: '# Two' }]
  await call(user, `outlines/${deckId}`, { method: 'PUT', body: { slides } })
  world.presenton.gates.hold('chat:work')
  const turn = messagesOf(chat(user, String(deckId), 'tool:none'))
  await world.presenton.gates.arrived('chat:work')
  const deck = world.presenton.decks.get(String(deckId))
  expect(deck?.outlines).toEqual(slides)
  const approval = { method: 'PUT', body: {} }
  expect((await user.api(`/presentations/${id}/outlines`, approval)).status).toBe(409)
  if (deck) deck.outlines = [...slides, { content: '# Three' }]
  world.presenton.gates.releaseAll()
  await turn
  expect((await user.api(`/presentations/${id}/outlines`)).body.outlines).toHaveLength(3)
  expect(await user.read(id)).toMatchObject({ n_slides: 3, status: 'awaiting_outlines' })
})

test('refuses a turn without a whole deck or outlines, and beyond the quota', async () => {
  const user = await world.createUser()
  const { id, deckId } = await submitHeldInSlides(world, user)
  expect((await chat(user, deckId, 'tool:none')).status).toBe(409)
  world.presenton.gates.releaseAll()
  await user.waitUntilSettled(id)

  const limited = await world.openReplica({ QUOTA_EDITS_PER_DAY: '1' })
  onTestFinished(() => world.closeReplica(limited))
  await messagesOf(chat(user, deckId, 'tool:none', { gateway: limited }))
  const second = await chat(user, deckId, 'tool:none', { gateway: limited })
  expect(second.status).toBe(429)
  const picture = await call(user, 'images/generate?prompt=river', { gateway: limited })
  expect(picture.status).toBe(429)
  expect(await editsOf(user)).toBe(1)
})

test('does not repeat a turn that broke, and counts what it did', async () => {
  const user = await world.createUser()
  const { deckId, id } = await makeDeck(user)
  world.presenton.faults.inject('chat-stream:cut-before-complete')
  const edits = world.presenton.edits
  const messages = await messagesOf(chat(user, deckId, 'tool:deleteSlide {"index":1}'))
  expect(messages.at(-1)).toMatchObject({ type: 'error', detail: expect.any(String) })
  expect(world.presenton.edits).toBe(edits + 1)
  expect(await user.read(id)).toMatchObject({ revision: 2, n_slides: 2 })
  expect(await editsOf(user)).toBe(1)
})

test('the turn of a lost holder ends, and the deck counts as changed', async () => {
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  await world.query(
    `insert into gateway.chat_turns (presentation_id, token, use_id, expires_at)
     values ($1, gen_random_uuid(), gen_random_uuid(), now() - interval '1 second')`,
    [id],
  )
  await endAbandonedTurns(database)
  expect(await user.read(id)).toMatchObject({ revision: 2, status: 'completed' })
  expect(await world.query('select 1 from gateway.chat_turns')).toEqual([])
})

test('an image costs one edit at every call, and a lost one is not requested again', async () => {
  const user = await world.createUser()
  const before = world.presenton.generatedImages
  const first = await read(user, 'images/generate?prompt=a%20river')
  expect(first).toMatchObject({ status: 200, body: expect.stringMatching(/^\/app_data\/images\//) })
  world.presenton.faults.inject('generate-image:reply-lost')
  expect((await read(user, 'images/generate?prompt=a%20river')).status).toBe(502)
  expect(world.presenton.generatedImages).toBe(before + 2)
  expect(await editsOf(user)).toBe(2)
  world.presenton.faults.inject('generate-image:502')
  await read(user, 'images/generate?prompt=a%20river')
  expect((await read(user, 'images/generate?prompt=')).status).toBe(400)
})

test('returns a fresh file at once, and exports another once for all tabs', async () => {
  const user = await world.createUser()
  const { deckId, id } = await makeDeck(user)
  const exports = world.presenton.spend.exports
  const pptx = await read(user, '/api/export-presentation', {
    body: { id: deckId, format: 'pptx', title: 'x' },
  })
  expect(pptx).toMatchObject({ status: 200, body: { success: true } })
  expect(world.presenton.spend.exports).toBe(exports)
  const pdfs = await Promise.all(
    Array.from({ length: 3 }, () =>
      read(user, '/api/export-presentation', { body: { id: deckId, format: 'pdf' } }),
    ),
  )
  for (const { status } of pdfs) expect(status).toBe(200)
  expect(world.presenton.spend.exports).toBe(exports + 1)

  const path = String(pdfs[0]?.body.path)
  expect(path).not.toContain(id)
  const file = await call(user, path)
  expect(file.status).toBe(302)
  expect((await fetch(file.headers.get('location') ?? '')).status).toBe(200)
  const other = await world.createUser('other')
  expect((await call(other, path)).status).toBe(404)
  expect((await call(user, '/api/export-presentation/file?name=users%2Fx%2Fy.pdf')).status).toBe(
    404,
  )
})

test('returns a fresh file at once, also while a run works on the deck', async () => {
  const user = await world.createUser()
  const { deckId, id } = await makeDeck(user)
  const exported = (format: string) =>
    read(user, '/api/export-presentation', { body: { id: deckId, format } })
  world.presenton.gates.hold('export:work')
  const pdf = exported('pdf')
  await world.presenton.gates.arrived('export:work')
  expect((await exported('pptx')).status).toBe(200)
  world.presenton.gates.releaseAll()
  expect((await pdf).status).toBe(200)
  world.presenton.gates.hold('slides:slide')
  await call(user, `/presentation?id=${deckId}&stream=true`, { headers: { rsc: '1' } })
  const stream = messagesOf(call(user, `presentation/stream/${deckId}`))
  await world.presenton.gates.arrived('slides:slide')
  expect((await exported('pdf')).status).toBe(200)
  world.presenton.gates.releaseAll()
  expect((await stream).at(-1)?.type).toBe('complete')
  // The file of the deck before is stale now.
  expect(await user.read(id)).toMatchObject({ revision: 2 })
  const exports = world.presenton.spend.exports
  expect((await exported('pdf')).status).toBe(200)
  expect(world.presenton.spend.exports).toBe(exports + 1)
})

test('responds 504 to an export that takes too long, which goes on', async () => {
  const user = await world.createUser()
  const { deckId, id } = await makeDeck(user)
  const impatient = await world.openReplica({ EXPORT_TIMEOUT_SECONDS: '1' })
  onTestFinished(() => world.closeReplica(impatient))
  world.presenton.gates.hold('export:work')
  const body = { id: deckId, format: 'pdf' }
  expect((await read(user, '/api/export-presentation', { body, gateway: impatient })).status).toBe(
    504,
  )
  world.presenton.gates.releaseAll()
  await user.waitUntilSettled(id)
  expect((await read(user, '/api/export-presentation', { body, gateway: impatient })).status).toBe(
    200,
  )
})

test('responds as upstream does to copies and blank decks', async () => {
  const user = await world.createUser()
  const { deckId } = await makeDeck(user)
  const copy = await read(user, `presentation/${deckId}/duplicate`, { body: {} })
  expect(copy).toMatchObject({ status: 200, body: { title: expect.stringContaining('(Copy)') } })
  const blank = await read(user, 'presentation/create/blank', { body: {} })
  expect(blank).toMatchObject({ status: 201, body: { title: 'Untitled Presentation' } })
  expect((await call(user, `presentation/stream/${blank.body.id}`)).status).toBe(400)
  const none = { type: 'error', detail: 'This presentation has no outlines.' }
  expect(await messagesOf(call(user, `outlines/stream/${blank.body.id}`))).toEqual([none])
  const shown = await messagesOf(call(user, `presentation/stream/${copy.body.id}`))
  expect(shown.at(-1)).toMatchObject({ type: 'complete', presentation: { id: copy.body.id } })
})

test('no other user reaches a deck', async () => {
  const user = await world.createUser()
  const { deckId } = await makeDeck(user)
  const other = await world.createUser('other')
  const spent = structuredClone(world.presenton.spend)
  for (const path of [
    `outlines/stream/${deckId}`,
    `presentation/stream/${deckId}`,
    `outlines/${deckId}`,
  ])
    expect((await call(other, path)).status).toBe(404)
  expect((await chat(other, deckId, 'tool:none')).status).toBe(404)
  expect((await call(other, `presentation/${deckId}/duplicate`, { body: {} })).status).toBe(404)
  const body = { id: deckId, format: 'pdf' }
  expect((await call(other, '/api/export-presentation', { body })).status).toBe(404)
  expect(world.presenton.spend).toEqual(spent)
})
