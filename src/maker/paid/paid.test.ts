// What costs money, over real sockets and with real workers: each is paid for once, however often
// it is asked for, and goes on when its tab closes.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { User } from '../../journeys/user.ts'
import {
  type Body,
  createCalls,
  messagesOf,
  openPaidWorld,
  type PaidWorld,
  submitHeldInSlides,
} from './test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld())
})
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call, open, read } = createCalls(() => world)

const typesOf = (messages: Body[]) => [...new Set(messages.map(({ type }) => type))]

async function idOf(deckId: unknown): Promise<string> {
  const [row] = await world.query<{ id: string }>(
    'select presentation_id as id from gateway.decks where deck_id = $1',
    [deckId],
  )
  return row?.id ?? ''
}

const brief = { content: 'The bridge. The ferry. The port.', n_slides: 3, version: 'v2-standard' }

async function createDeck(user: User) {
  const { status, body } = await read(user, 'presentation/create', { body: brief })
  expect(status).toBe(200)
  const deckId = String(body.id)
  return { deckId, id: await idOf(deckId) }
}

async function makeDeck(user: User) {
  const { id, presenton_presentation_id: deckId } = await user.generate()
  return { id, deckId: String(deckId) }
}

const interfaceHeaders = { rsc: '1', 'sec-fetch-site': 'same-origin' }
const regeneratePage = (user: User, deckId: string, headers: Record<string, string> = {}) =>
  call(user, `/presentation?id=${deckId}&stream=true`, {
    headers: { ...interfaceHeaders, ...headers },
  })

test('a deck from its text to its slides, with one paid call of each kind', async () => {
  const user = await world.createUser()
  const { deckId, id } = await createDeck(user)
  const tabs = Array.from({ length: 5 }, () => messagesOf(call(user, `outlines/stream/${deckId}`)))
  const [first = [], ...others] = await Promise.all(tabs)
  expect(typesOf(first)).toEqual(['status', 'chunk', 'complete'])
  const presentation = first.at(-1)?.presentation as Body & { outlines: { slides: Body[] } }
  expect(presentation).toMatchObject({ id: deckId, version: 'v2-standard', n_slides: 3 })
  expect(presentation.outlines.slides).toHaveLength(3)
  for (const other of others)
    expect(other.at(-1)).toMatchObject({ presentation: { outlines: presentation.outlines } })
  const text = first.filter(({ type }) => type === 'chunk').map(({ chunk }) => chunk)
  expect(JSON.parse(text.join(''))).toEqual(presentation.outlines)

  await user.waitUntilSettled(id)
  const slides = presentation.outlines.slides.map(({ content }) => ({
    content: `${content} Mine.`,
  }))
  const saved = await read(user, `outlines/${deckId}`, { method: 'PUT', body: { slides } })
  expect(saved).toEqual({ status: 200, body: { slides } })
  expect(await read(user, `outlines/${deckId}`)).toEqual(saved)

  const body = { presentation_id: deckId, outlines: slides, layout: 'general', title: 'Bridge' }
  expect(
    await read(user, 'presentation/prepare', { body: { ...body, layout: 'no-such' } }),
  ).toMatchObject({
    ...{ status: 404, body: { detail: 'Template layout not found' } },
  })
  const prepared = await read(user, 'presentation/prepare', { body })
  expect(prepared).toEqual({ status: 200, body: { presentation_id: deckId } })
  const streams = await Promise.all(
    Array.from({ length: 5 }, () => messagesOf(call(user, `presentation/stream/${deckId}`))),
  )
  expect(await read(user, 'presentation/prepare', { body })).toEqual(prepared)
  const again = await read(user, `outlines/${deckId}`, { method: 'PUT', body: { slides } })
  expect(again.status).toBe(409)
  for (const stream of [
    ...streams,
    await messagesOf(call(user, `presentation/stream/${deckId}`)),
  ]) {
    const chunks = stream.filter(({ type }) => type === 'chunk').map(({ chunk }) => String(chunk))
    expect(chunks).toHaveLength(5)
    for (const chunk of chunks.slice(1, -1)) expect(JSON.parse(chunk).presentation).toBe(deckId)
    expect(stream.at(-1)).toMatchObject({ type: 'complete', presentation: { title: 'Bridge' } })
    for (const message of stream) expect(message).not.toHaveProperty('run')
  }
  expect(await user.read(id)).toMatchObject({ status: 'completed', title: 'Bridge', run: 1 })
  expect(world.presenton.spendOf(deckId)).toMatchObject({
    outlines: 1,
    prepares: 1,
    slideStreams: 1,
  })
})

test('a closed tab stops no run, and a failed run replays its error', async () => {
  const user = await world.createUser()
  world.presenton.gates.hold('outlines:chunk')
  const { deckId, id } = await createDeck(user)
  await world.presenton.gates.arrived('outlines:chunk')
  const closing = await call(user, `outlines/stream/${deckId}`)
  expect(closing.headers.get('cache-control')).toBe('private, no-store, no-transform')
  await closing.body?.cancel()
  world.presenton.gates.releaseAll()
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'awaiting_outlines' })
  world.presenton.faults.inject('slides:error-500', { times: 2 })
  await user.api(`/presentations/${id}/outlines`, { method: 'PUT', body: {} })
  expect((await messagesOf(call(user, `presentation/stream/${deckId}`))).at(-1)).toMatchObject({
    type: 'error',
  })
  const streams = world.presenton.spend.slideStreams
  for (let times = 0; times < 3; times += 1) {
    const [only] = await messagesOf(call(user, `presentation/stream/${deckId}`))
    expect(only).toMatchObject({ type: 'error', detail: expect.any(String) })
  }
  expect(world.presenton.spend.slideStreams).toBe(streams)
})

/** As for a machine that was asleep: its connections are gone, and grants have ended. */
async function passHour(...sleeping: AbortController[]) {
  for (const tab of sleeping) tab.abort()
  world.presenton.gates.releaseAll()
  await world.query(`update gateway.maker_grants set expires_at = expires_at - interval '1 hour'`)
  await world.query(`update gateway.maker_sessions set created_at = created_at - interval '1 hour'`)
}

test('a tab that sleeps for an hour and wakes, five tabs and a pasted link pay for one run', async () => {
  const user = await world.createUser()
  const { gates, spend } = world.presenton
  const before = { ...spend }
  gates.hold('outlines:chunk')
  const { deckId, id } = await createDeck(user)
  const openTab = async (stream: string) => {
    const tab = new AbortController()
    expect((await call(user, `${stream}/${deckId}`, { signal: tab.signal })).status).toBe(200)
    return tab
  }
  const openTabs = (stream: string) => Promise.all([1, 2, 3, 4, 5].map(() => openTab(stream)))
  /** The interface asks again by itself when a stream has broken. */
  const wake = async (stream: string) => {
    const tabs = [1, 2, 3, 4, 5].map(() => messagesOf(call(user, `${stream}/${deckId}`)))
    for (const messages of await Promise.all(tabs)) expect(messages.at(-1)?.type).toBe('complete')
    const pasted = await open(user, `/presentation?id=${deckId}&stream=true`)
    if (stream.startsWith('presentation')) expect(pasted.status).toBe(303)
  }

  await gates.arrived('outlines:chunk')
  await passHour(...(await openTabs('outlines/stream')))
  const { status, run } = await user.waitUntilSettled(id)
  expect({ status, run }).toEqual({ status: 'awaiting_outlines', run: 1 })
  await wake('outlines/stream')

  gates.hold('slides:slide')
  const outlines = [{ content: '# One' }, { content: '# Two' }]
  const prepare = { presentation_id: deckId, outlines, layout: 'general' }
  for (let times = 0; times < 2; times += 1)
    expect((await read(user, 'presentation/prepare', { body: prepare })).status).toBe(200)
  await gates.arrived('slides:slide')
  await passHour(...(await openTabs('presentation/stream')))
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 1 })
  await wake('presentation/stream')
  const paid = { outlines: 1, prepares: 1, slideStreams: 1, exports: 1 }
  expect(world.presenton.spendOf(deckId)).toEqual(paid)

  gates.hold('slides:slide')
  expect((await regeneratePage(user, deckId)).status).toBe(200)
  const tabs = await openTabs('presentation/stream')
  await gates.arrived('slides:slide')
  await passHour(...tabs)
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 2 })
  await wake('presentation/stream')
  await wake('outlines/stream')
  expect(await user.read(id)).toMatchObject({ run: 2, revision: 2, error: null })
  // The regeneration that a person asked for, and nothing else.
  expect(world.presenton.spendOf(deckId)).toEqual(paid)
  const { outlines: written, slideStreams } = spend
  expect([written - before.outlines, slideStreams - before.slideStreams]).toEqual([1, 2])
})

test.each<[string, Body, number]>([
  ['too many slides', { n_slides: 21 }, 400],
  ['too much text', { content: 'x'.repeat(1_001) }, 400],
  ['another version', { version: 'v1-standard' }, 400],
  ['a generation mode', { generation_mode: 'smart' }, 400],
  ['files that are no list', { file_paths: '/documents/x' }, 400],
])('create refuses %s, and upstream makes nothing', async (_, wrong, status) => {
  const user = await world.createUser()
  const decks = world.presenton.decks.size
  const refused = await read(user, 'presentation/create', { body: { ...brief, ...wrong } })
  expect(refused.status).toBe(status)
  expect(world.presenton.decks.size).toBe(decks)
})

test('a deck whose outlines wait for approval says so when it is opened', async () => {
  const user = await world.createUser()
  const { deckId, id } = await createDeck(user)
  await user.waitUntilSettled(id)
  const opened = await open(user, `/presentation?id=${deckId}`)
  expect(opened.headers.get('location')).toBe(`/presentation?id=${deckId}&stream=true`)
  const messages = messagesOf(call(user, `presentation/stream/${deckId}`))
  await user.api(`/presentations/${id}/outlines`, { method: 'PUT', body: {} })
  const status = 'The outlines wait for your approval.'
  expect(await messages).toContainEqual({ type: 'status', status })
  expect((await messages).at(-1)).toMatchObject({ type: 'complete' })
})

test('makes eight slides if the interface names no number', async () => {
  const user = await world.createUser()
  const { body } = await read(user, 'presentation/create', { body: { ...brief, n_slides: null } })
  const id = await idOf(body.id)
  expect(await user.waitUntilSettled(id)).toMatchObject({ n_slides: 8, origin: 'maker' })
})

describe('regenerate', () => {
  test('the request of the interface grants one run, which all tabs follow', async () => {
    const user = await world.createUser()
    const { deckId, id } = await makeDeck(user)
    expect((await regeneratePage(user, deckId)).status).toBe(200)
    const tabs = Array.from({ length: 5 }, () =>
      messagesOf(call(user, `presentation/stream/${deckId}`)),
    )
    const streams = await Promise.all(tabs)
    const after = await user.waitUntilSettled(id)
    expect(after).toMatchObject({ run: 2, revision: 2, error: null })
    const fresh = streams.filter((stream) => {
      const shown = stream.at(-1)?.presentation as Body | undefined
      return shown?.id === after.presenton_presentation_id
    })
    expect(fresh).toHaveLength(5)
    // The id of the old deck leads to the new one, and nothing is granted twice.
    await messagesOf(call(user, `presentation/stream/${deckId}`))
    expect((await user.read(id)).run).toBe(2)
    expect(await read(user, `outlines/${deckId}`)).toMatchObject({ status: 200 })
  })

  test('a turn of the chat puts it off, and the stream says so', async () => {
    const user = await world.createUser()
    const { id, deckId } = await makeDeck(user)
    world.presenton.gates.hold('chat:work')
    const body = { presentation_id: deckId, message: 'tool:none' }
    const turn = messagesOf(call(user, 'chat/message/stream', { body }))
    await world.presenton.gates.arrived('chat:work')
    expect((await regeneratePage(user, deckId)).status).toBe(200)
    const [refused, ...rest] = await messagesOf(call(user, `presentation/stream/${deckId}`))
    expect([refused?.type, rest]).toEqual(['error', []])
    world.presenton.gates.releaseAll()
    await turn
    const messages = await messagesOf(call(user, `presentation/stream/${deckId}`))
    expect(messages.at(-1)?.type).toBe('complete')
    expect(await user.read(id)).toMatchObject({ run: 2, revision: 2 })
  })

  test('links, prefetches and other sites never pay', async () => {
    const user = await world.createUser()
    const { deckId, id } = await makeDeck(user)
    const pasted = await open(user, `/presentation?id=${deckId}&stream=true&type=standard`)
    expect(pasted.status).toBe(303)
    expect(pasted.headers.get('location')).toBe(`/presentation?id=${deckId}&type=standard`)
    await regeneratePage(user, deckId, { 'next-router-prefetch': '1' })
    await regeneratePage(user, deckId, { 'sec-fetch-site': 'cross-site' })
    const messages = await messagesOf(call(user, `presentation/stream/${deckId}`))
    expect(messages.at(-1)?.type).toBe('complete')
    // Another session of the same user has no grant either.
    await regeneratePage(user, deckId)
    await messagesOf(call(user, `presentation/stream/${deckId}`, { session: 'other' }))
    expect(await user.read(id)).toMatchObject({ run: 1, revision: 1 })
  })

  test('a deck whose run is under way opens with its stream', async () => {
    const user = await world.createUser()
    const { id, deckId } = await submitHeldInSlides(world, user)
    const opened = await open(user, `/presentation?id=${deckId}`)
    expect(opened.status).toBe(303)
    expect(opened.headers.get('location')).toBe(`/presentation?id=${deckId}&stream=true`)
    const streaming = await open(user, `/presentation?id=${deckId}&stream=true`)
    expect(streaming.status).toBe(200)
    world.presenton.gates.releaseAll()
    await user.waitUntilSettled(id)
  })
})
