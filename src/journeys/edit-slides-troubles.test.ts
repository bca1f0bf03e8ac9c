// Edits that meet crashes, outages, cancels at bad moments, other changes, and their quota.

import { afterEach, expect, test } from 'vitest'
import type { GatePoint } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import type { RequestOptions, User } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
afterEach(() => world.close())

async function open(options: WorldOptions = {}) {
  world = await openWorld({
    ...options,
    env: { MAX_RUNNING: '20', MAX_RUNNING_PER_USER: '20', LEASE_SECONDS: '1', ...options.env },
  })
}

async function makeDeck(user: User) {
  const { id, presenton_presentation_id: deckId } = await user.generate()
  const deck = world.presenton.decks.get(String(deckId))!
  return { id, deck, before: structuredClone(deck.slides) }
}

const edit = (user: User, id: string, request: RequestOptions & { instruction?: string } = {}) =>
  user.api(`/presentations/${id}/slides/0/edit`, {
    method: 'POST',
    body: { instruction: request.instruction ?? 'Say it in Latin.' },
    ...request,
  })

const used = async (user: User) => (await user.api('/usage')).body.edits_per_day.used as number
const editCalls = () =>
  world.presenton.journal.filter(({ operation }) => ['slide-edit', 'chat'].includes(operation))

test.each<[GatePoint, 'done' | 'interrupted' | 'repeated', 'A1' | 'B1']>([
  ['read', 'repeated', 'B1'],
  ['chat', 'interrupted', 'B1'],
  ['slide-edit', 'interrupted', 'A1'],
  ['chat:reply', 'done', 'B1'],
  ['slide-edit:reply', 'done', 'A1'],
  ['conversations', 'done', 'B1'],
])(
  'kill -9 at %s: the edit is %s, and paid once',
  async (point, outcome, shape) => {
    await open({ shape, replicas: 0 })
    const first = await world.spawnReplica()
    const maker = await world.openReplica({ WORKER: 'false' })
    const user = await world.createUser()
    const { id, deck, before } = await makeDeck(user)
    world.presenton.gates.hold(point)
    expect(await edit(user, id, { baseUrl: maker.url })).toMatchObject({ status: 202 })
    await world.presenton.gates.arrived(point)
    const held = world.presenton.journal.at(-1)
    await first.kill()
    // Upstream must see the end of the connection first: it works for whom it takes to be there.
    await waitFor(() => expect(held?.aborted).toBe(true))
    world.presenton.gates.release(point)
    const next = await world.openReplica()
    const isKept = outcome !== 'interrupted'
    expect(await user.waitUntilSettled(id, next.url)).toMatchObject({
      status: 'completed',
      revision: isKept ? 2 : 1,
      error: isKept ? null : { code: 'INTERRUPTED' },
    })
    expect(world.presenton.edits).toBe(outcome === 'interrupted' ? 0 : 1)
    expect(editCalls()).toHaveLength(1)
    expect(deck.slides.slice(1)).toEqual(before.slice(1))
    if (!isKept) expect(deck.slides).toEqual(before)
    expect(world.presenton.conversations.size).toBe(0)
    const events = await (await user.subscribe(id, { baseUrl: next.url })).rest()
    const seqs = await world.query<{ seq: string }>(
      'select seq from gateway.events where presentation_id = $1 order by seq',
      [id],
    )
    expect(seqs.map(({ seq }) => Number(seq))).toEqual(seqs.map((_, index) => index + 1))
    const ends = events.filter(({ data }) => ['complete', 'error'].includes(data.type))
    expect(ends).toHaveLength(1)
    const edited = events.filter(({ data }) => data.type === 'slide_edited')
    expect(edited).toHaveLength(isKept ? 1 : 0)
    expect(await used(user)).toBe(1)
    await world.expectNoLeaks()
  },
  60_000,
)

test('kill -9 after a cancel: another replica restores the deck', async () => {
  await open({ replicas: 0 })
  const first = await world.spawnReplica()
  const maker = await world.openReplica({ WORKER: 'false' })
  const user = await world.createUser()
  const { id, deck, before } = await makeDeck(user)
  world.presenton.gates.hold('chat:reply')
  await edit(user, id)
  await world.presenton.gates.arrived('chat:reply')
  const cancelled = await user.api(`/presentations/${id}/cancel`, {
    method: 'POST',
    baseUrl: maker.url,
  })
  expect(cancelled).toMatchObject({ status: 202, body: { status: 'running' } })
  await first.kill()
  await waitFor(() => expect(world.presenton.openRequests).toBe(0))
  world.presenton.gates.release('chat:reply')
  await world.openReplica()
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'completed',
    error: { code: 'CANCELLED' },
    revision: 1,
  })
  expect(deck.slides).toEqual(before)
}, 60_000)

test.each([
  ['update', true],
  ['update:reply', true],
  ['update:reply', false],
] as const)(
  'kill -9 at the %s of what is restored, of an edit that is kept: %s',
  async (point, isKept) => {
    await open({ replicas: 0 })
    const first = await world.spawnReplica()
    const maker = await world.openReplica({ WORKER: 'false' })
    const user = await world.createUser()
    const { id, deck, before } = await makeDeck(user)
    const instruction = 'tool:updateSlide {"index":0} tool:deleteSlide {"index":2}'
    world.presenton.gates.hold('chat:work')
    await edit(user, id, { baseUrl: maker.url, body: { instruction } })
    await world.presenton.gates.arrived('chat:work')
    if (!isKept)
      await user.api(`/presentations/${id}/cancel`, { method: 'POST', baseUrl: maker.url })
    world.presenton.gates.hold(point)
    world.presenton.gates.release('chat:work')
    await world.presenton.gates.arrived(point)
    await first.kill()
    const held = world.presenton.journal.findLast(({ operation }) => operation === 'update')
    await waitFor(() => expect(held?.aborted).toBe(true))
    world.presenton.gates.release(point)
    await world.openReplica()
    expect(await user.waitUntilSettled(id)).toMatchObject({
      status: 'completed',
      revision: isKept ? 2 : 1,
      error: isKept ? null : { code: 'CANCELLED' },
    })
    expect(deck.slides.slice(1)).toEqual(before.slice(1))
    if (isKept) expect(JSON.stringify(deck.slides[0])).toContain('Changed by a tool')
    else expect(deck.slides).toEqual(before)
    expect(world.presenton.edits).toBe(1)
    await world.expectNoLeaks()
  },
  60_000,
)

test('a lost answer is looked up, and the call is not repeated', async () => {
  await open({ shape: 'T' })
  const user = await world.createUser()
  const { id, deck, before } = await makeDeck(user)
  world.presenton.faults.inject('slide-edit:reply-lost')
  await edit(user, id)
  expect(await user.waitUntilSettled(id)).toMatchObject({ error: null, revision: 2 })
  const kept = structuredClone(deck.slides)
  expect(kept).not.toEqual(before)
  world.presenton.faults.inject('slide-edit:reset')
  await edit(user, id, { instruction: 'Other words.' })
  expect(await user.waitUntilSettled(id)).toMatchObject({
    error: { code: 'UPSTREAM_ERROR' },
    revision: 2,
  })
  expect(deck.slides).toEqual(kept)
  expect(editCalls()).toHaveLength(2)
})

test('a cancel or a delete before the call asks upstream for nothing, and costs nothing', async () => {
  await open()
  const user = await world.createUser()
  const [first, second] = [await makeDeck(user), await makeDeck(user)]
  world.presenton.gates.hold('read')
  for (const { id } of [first, second]) await edit(user, id)
  await world.presenton.gates.arrived('read', 2)
  expect(await used(user)).toBe(2)
  const cancelled = await user.api(`/presentations/${first.id}/cancel`, { method: 'POST' })
  expect(cancelled).toMatchObject({
    status: 202,
    body: { status: 'completed', error: { code: 'CANCELLED' }, revision: 1 },
  })
  const deleted = await user.api(`/presentations/${second.id}`, { method: 'DELETE' })
  expect(deleted.status).toBe(204)
  world.presenton.gates.release('read')
  expect(await used(user)).toBe(0)
  expect(editCalls()).toEqual([])
  await world.expectNoLeaks()
  expect(await world.query('select 1 from gateway.slide_edits')).toEqual([])
})

test('a run waits for an upstream that is away, then asks it once', async () => {
  await open()
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  await world.presenton.faults.down()
  await edit(user, id)
  const reader = await user.subscribe(id)
  await reader.until('status')
  await world.presenton.faults.up()
  expect(await user.waitUntilSettled(id)).toMatchObject({ error: null, revision: 2 })
  expect(editCalls()).toHaveLength(1)
}, 60_000)

test('an outage after the call: the deck is looked at once upstream is back', async () => {
  await open()
  const user = await world.createUser()
  const { id, deck, before } = await makeDeck(user)
  world.presenton.faults.inject('read:503', { skip: 1, times: 2 })
  world.presenton.faults.inject('chat:fails-half-way')
  await edit(user, id)
  expect(await user.waitUntilSettled(id)).toMatchObject({
    error: { code: 'UPSTREAM_ERROR' },
    revision: 1,
  })
  expect(deck.slides).toEqual(before)
}, 60_000)

test('during an edit every other change is refused at once, and one edit runs at a time', async () => {
  await open()
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  world.presenton.gates.hold('chat:work')
  await edit(user, id)
  await world.presenton.gates.arrived('chat:work')
  const startedMs = performance.now()
  const path = `/presentations/${id}`
  for (const [method, rest, body] of [
    ['PATCH', '/slides/0', { speaker_note: 'x' }],
    ['POST', '/slides', { after: 0, copy_of: 0 }],
    ['DELETE', '/slides/0', undefined],
    ['PUT', '/slides/order', { order: [2, 1, 0] }],
    ['POST', '/slides/0/edit', { instruction: 'x' }],
    ['POST', '/exports', { format: 'pdf' }],
    ['POST', '/retry', undefined],
  ] as const)
    expect(await user.api(`${path}${rest}`, { method, body }), rest).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT' },
    })
  expect(performance.now() - startedMs).toBeLessThan(30_000)
  expect(await user.api(path, { method: 'PATCH', body: { title: 'New' } })).toMatchObject({
    status: 200,
  })
  expect(await user.api(`${path}/slides`)).toMatchObject({ status: 200, body: { revision: 1 } })
  world.presenton.gates.release('chat:work')
  expect(await user.waitUntilSettled(id)).toMatchObject({ error: null, revision: 2 })
})

test('an edit waits for the change before it, and minds If-Match and the index', async () => {
  await open({ replicas: 2 })
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  world.presenton.gates.hold('slide-update')
  const path = `/presentations/${id}/slides`
  const saving = user.api(`${path}/0`, { method: 'PATCH', body: { speaker_note: 'first' } })
  await world.presenton.gates.arrived('slide-update')
  const other = world.gateways[1]!.url
  const editing = edit(user, id, { baseUrl: other, headers: { 'if-match': '"2"' } })
  world.presenton.gates.release('slide-update')
  expect(await saving).toMatchObject({ status: 200, body: { revision: 2 } })
  expect(await editing).toMatchObject({ status: 202, body: { run: 2 } })
  expect(await user.waitUntilSettled(id)).toMatchObject({ revision: 3 })
  const stale = await edit(user, id, { headers: { 'if-match': '"2"' } })
  expect(stale).toMatchObject({ status: 412, body: { code: 'REVISION_CONFLICT' } })
  expect(stale.headers.get('etag')).toBe('"3"')
  const beyond = await user.api(`${path}/3/edit`, { method: 'POST', body: { instruction: 'x' } })
  expect(beyond).toMatchObject({ status: 404 })
  for (const body of [{}, { instruction: '' }, { instruction: ' \n' }, { instruction: 7 }])
    expect(await user.api(`${path}/0/edit`, { method: 'POST', body })).toMatchObject({
      status: 400,
    })
  const long = { instruction: 'x'.repeat(4_001) }
  expect(await user.api(`${path}/0/edit`, { method: 'POST', body: long })).toMatchObject({
    status: 400,
  })
  expect(await used(user)).toBe(1)
})

test('one key starts one edit', async () => {
  await open({ replicas: 2 })
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  const headers = { 'idempotency-key': 'edit-1' }
  const urls = world.gateways.map(({ url }) => url)
  const both = await Promise.all(urls.map((baseUrl) => edit(user, id, { headers, baseUrl })))
  expect(both.map(({ status }) => status)).toEqual([202, 202])
  expect(both[0]?.body).toEqual(both[1]?.body)
  await user.waitUntilSettled(id)
  const again = await edit(user, id, { headers })
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(editCalls()).toHaveLength(1)
})

test('the quota of edits is exact over replicas, and frees what was never asked', async () => {
  await open({ replicas: 2, env: { QUOTA_EDITS_PER_DAY: '3' } })
  const user = await world.createUser()
  const decks = []
  for (let n = 0; n < 6; n += 1) decks.push(await makeDeck(user))
  const urls = world.gateways.map(({ url }) => url)
  const results = await Promise.all(
    decks.map(({ id }, n) => edit(user, id, { baseUrl: urls[n % 2]! })),
  )
  expect(results.map(({ status }) => status).sort()).toEqual([202, 202, 202, 429, 429, 429])
  const refused = results.find(({ status }) => status === 429)
  expect(refused?.body).toMatchObject({ code: 'QUOTA_EXCEEDED' })
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(80_000)
  for (const { id } of decks) await user.waitUntilSettled(id)
  expect((await user.api('/usage')).body.edits_per_day).toMatchObject({
    limit: 3,
    used: 3,
    remaining: 0,
    resets_at: expect.any(String),
  })
  await world.query(`update gateway.edit_uses set used_at = now() - interval '25 hours'`)
  expect(await edit(user, decks[0]!.id)).toMatchObject({ status: 202 })
  await user.waitUntilSettled(decks[0]!.id)
})

test('a version whose model changes no slides says so, and the run that finds out, too', async () => {
  await open()
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  world.presenton.faults.inject('openapi:without-edits', { times: Infinity })
  const replica = await world.openReplica({ WORKER: 'false' })
  const baseUrl = replica.url
  expect(await user.api('/capabilities', { baseUrl })).toMatchObject({ body: { edit: false } })
  expect(await edit(user, id, { baseUrl })).toMatchObject({
    status: 409,
    body: { code: 'NOT_SUPPORTED' },
  })
  expect(await used(user)).toBe(0)
  await world.closeReplica(world.gateways[0]!)
  await world.presenton.faults.down()
  const accepting = await world.openReplica({ WORKER: 'false' })
  expect(await edit(user, id, { baseUrl: accepting.url })).toMatchObject({ status: 202 })
  await world.presenton.faults.up()
  await world.openReplica()
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'completed',
    error: { code: 'NOT_SUPPORTED', retryable: false },
  })
  expect(await used(user)).toBe(0)
  expect(editCalls()).toEqual([])
})

test('a replica that shuts down finishes the edit within its time', async () => {
  await open({ replicas: 0, env: { DRAIN_SECONDS: '20' } })
  const first = await world.openReplica()
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  world.presenton.gates.hold('chat:work')
  await edit(user, id)
  await world.presenton.gates.arrived('chat:work')
  const closing = world.closeReplica(first)
  world.presenton.gates.release('chat:work')
  await closing
  const next = await world.openReplica()
  expect(await user.waitUntilSettled(id, next.url)).toMatchObject({ error: null, revision: 2 })
  expect(editCalls()).toHaveLength(1)
})

test('images of an edited slide become readable', async () => {
  await open({ shape: 'A1' })
  const user = await world.createUser()
  const { id, deck } = await makeDeck(user)
  world.presenton.gates.hold('slide-edit:work')
  await edit(user, id, { instruction: 'tool:none' })
  await world.presenton.gates.arrived('slide-edit:work')
  Object.assign(deck.slides[0]!.content, { image: { __image_url__: '/app_data/images/new.png' } })
  world.presenton.gates.release('slide-edit:work')
  expect(await user.waitUntilSettled(id)).toMatchObject({ revision: 2 })
  await waitFor(async () =>
    expect(
      await world.query('select path from gateway.assets where presentation_id = $1', [id]),
    ).toContainEqual({ path: '/app_data/images/new.png' }),
  )
})
