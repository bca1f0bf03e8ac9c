// The dashboard, deleting decks, and deleting conversations of the chat.

import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { brief, type User } from '../../journeys/user.ts'
import { type CallOptions, createCalls, openPaidWorld, type PaidWorld } from '../paid/test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld())
})
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call, read } = createCalls(() => world)

// biome-ignore lint/suspicious/noExplicitAny: bodies of upstream.
type Deck = Record<string, any>

const all = 'presentation/all?version=v2-standard'
const list = async (user: User, options: CallOptions = {}) =>
  (await read(user, all, options)).body as unknown as Deck[]

async function makeDeck(user: User, about = 'The bridge is repaired in May.') {
  const { id, presenton_presentation_id } = await user.generate({ ...brief, content: about })
  return { id, deckId: String(presenton_presentation_id) }
}

test('the dashboard shows own decks, newest first, with their first slides', async () => {
  const [user, other] = [await world.createUser(), await world.createUser('other')]
  const first = await makeDeck(user)
  const second = await makeDeck(user, 'The ferry runs until then.')
  await makeDeck(other)
  await user.api(`/presentations/${first.id}`, { method: 'PATCH', body: { title: 'Mine' } })
  const decks = await list(user)
  expect(decks.map(({ id }) => id)).toEqual([second.deckId, first.deckId])
  const stored = world.presenton.decks.get(first.deckId)!
  expect(decks[1]).toEqual({
    ...{ id: first.deckId, version: 'v2-standard', n_slides: 3, title: 'Mine' },
    ...{ content: 'The bridge is repaired in May.', language: expect.any(String) },
    ...{ tone: 'default', verbosity: 'standard', fonts: stored.fonts },
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
    updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
    slides: [expect.objectContaining({ id: stored.slides[0]?.id, index: 0 })],
  })
  expect(JSON.stringify(decks)).not.toContain('owner_id')

  expect(await world.upstreamDuring(() => list(user))).toEqual([])
  // A change is read again, once.
  const change = { method: 'PATCH', body: { speaker_note: 'New' } }
  await user.api(`/presentations/${first.id}/slides/0`, change)
  const again = await world.upstreamDuring(async () => {
    const changed = await Promise.all([list(user), list(user)])
    for (const [, deck] of changed) expect(deck?.['slides'][0].speaker_note).toBe('New')
  })
  expect(again).toEqual([`GET /api/v1/ppt/presentation/${first.deckId}`])
})

test('leaves out decks of another version and of another user', async () => {
  const user = await world.createUser()
  await makeDeck(user)
  const upstream = await world.upstreamDuring(async () => {
    for (const query of [
      ...['', '?version=', '?version=v1-standard&include_slides=false', '?version=V2-STANDARD'],
      ...['?include_slides=true', '?owner_id=x'],
    ])
      expect((await read(user, `presentation/all${query}`)).body, query).toEqual([])
    const twice = `${all}&version=v1-standard`
    expect((await call(user, twice)).status).toBe(400)
    const visitor = await fetch(`${world.gateways[0]?.makerUrl}/api/v1/ppt/${all}`)
    expect(visitor.status).toBe(401)
    expect(await list(await world.createUser('new'))).toEqual([])
    await world.query('update gateway.maker_sessions set expires_at = now() where user_id = $1', [
      user.sub,
    ])
    expect((await call(user, all)).status).toBe(401)
  })
  expect(upstream).toEqual([])
})

test('shows the newest 100 decks, and reads 24 first slides in a request', async () => {
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  await world.query(
    `insert into gateway.presentations
     select (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid(),
       'presenton_presentation_id', gen_random_uuid(), 'title', 'Deck ' || n,
       'created_at', now() + n * interval '1 s'))).*
     from gateway.presentations p, generate_series(1, 120) n where p.id = $1`,
    [id],
  )
  const replica = await world.openReplica()
  onTestFinished(() => world.closeReplica(replica))
  const counts: number[] = []
  for (let n = 0; n < 5; n += 1) {
    const reads = await world.upstreamDuring(async () => {
      const decks = await list(user, { gateway: replica })
      expect(decks).toHaveLength(100)
      expect(decks[0]).toMatchObject({ title: 'Deck 120', slides: [] })
    })
    counts.push(reads.filter((request) => request.includes('/presentation/')).length)
  }
  // What upstream has lost is not asked for again.
  expect(counts).toEqual([24, 24, 24, 24, 4])
})

test('lists decks without their first slides while upstream is away', async () => {
  const user = await world.createUser()
  const { deckId } = await makeDeck(user)
  const replica = await world.openReplica()
  onTestFinished(() => world.closeReplica(replica))
  world.presenton.faults.inject('read:503')
  expect(await list(user, { gateway: replica })).toMatchObject([{ id: deckId, slides: [] }])
  expect(await list(user, { gateway: replica })).toMatchObject([{ slides: [{ index: 0 }] }])
})

test('a deck is deleted with its presentation, by its owner alone', async () => {
  const [user, other] = [await world.createUser(), await world.createUser('other')]
  const { id, deckId } = await makeDeck(user)
  await call(other, '/dashboard')
  const remove = (who: User, deck: string, options: CallOptions = {}) =>
    call(who, `presentation/${deck}`, { method: 'DELETE', ...options })
  const upstream = await world.upstreamDuring(async () => {
    expect((await remove(other, deckId)).status).toBe(404)
    expect((await remove(user, crypto.randomUUID())).status).toBe(404)
    expect((await remove(user, 'all')).status).toBe(404)
    const headers = { 'sec-fetch-site': 'cross-site' }
    expect((await remove(user, deckId, { headers })).status).toBe(403)
    const path = `${world.gateways[0]?.makerUrl}/api/v1/ppt/presentation/${deckId}`
    expect((await fetch(path, { method: 'DELETE' })).status).toBe(401)
  })
  expect(upstream).toEqual([])
  const deleted = await remove(user, deckId.toUpperCase())
  expect([deleted.status, await deleted.text()]).toEqual([204, ''])
  expect((await user.api(`/presentations/${id}`)).status).toBe(404)
  expect((await remove(user, deckId)).status).toBe(404)
  expect(await list(user)).toEqual([])
})

test('a conversation of an own deck is deleted, at no cost', async () => {
  const [user, other] = [await world.createUser(), await world.createUser('other')]
  const { deckId } = await makeDeck(user)
  await call(other, '/dashboard')
  const body = { presentation_id: deckId, message: 'tool:none' }
  const conversation = (await read(user, 'chat/message', { body })).body['conversation_id']
  const { used } = (await user.api('/usage')).body.edits_per_day
  const remove = (who: User, presentation: string, id: unknown, options: CallOptions = {}) =>
    call(who, `chat/conversation?presentation_id=${presentation}&conversation_id=${id}`, {
      ...{ method: 'DELETE', ...options },
    })
  const history = `chat/history?presentation_id=${deckId}&conversation_id=${conversation}`
  const upstream = await world.upstreamDuring(async () => {
    expect((await remove(other, deckId, conversation)).status).toBe(404)
    for (const id of ['', 'x', '../x', '%00'])
      expect((await remove(user, deckId, id)).status).toBe(404)
    expect((await remove(user, 'x', conversation)).status).toBe(404)
    const headers = { 'sec-fetch-site': 'cross-site' }
    expect((await remove(user, deckId, conversation, { headers })).status).toBe(403)
  })
  expect(upstream).toEqual([])
  expect((await read(user, history)).body['messages']).not.toEqual([])
  expect((await remove(user, deckId, conversation)).status).toBe(204)
  expect((await read(user, history)).body['messages']).toEqual([])
  expect((await remove(user, deckId, crypto.randomUUID())).status).toBe(204)
  expect((await user.api('/usage')).body.edits_per_day.used).toBe(used)
})
