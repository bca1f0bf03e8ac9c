// Changes of slides that race each other, crash, or meet an upstream that fails.

import { afterEach, expect, test } from 'vitest'
import { shapes } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { reachState } from './presentation-states.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
afterEach(() => world.close())

async function open(options: WorldOptions = {}) {
  world = await openWorld({
    ...options,
    env: { MAX_RUNNING: '20', MAX_RUNNING_PER_USER: '1', LEASE_SECONDS: '2', ...options.env },
  })
}

async function makeDeck(user: User) {
  const { id, presenton_presentation_id: deckId } = await user.generate()
  const deck = world.presenton.decks.get(String(deckId))!
  const note = (speaker_note: string, baseUrl = world.url, headers = {}) =>
    user.api(`/presentations/${id}/slides/0`, {
      method: 'PATCH',
      body: { speaker_note },
      baseUrl,
      headers,
    })
  const read = async (baseUrl = world.url) =>
    (await user.api(`/presentations/${id}/slides`, { baseUrl })).body
  return { id, deck, note, read }
}

test('changes of one deck wait for each other over two replicas, and none is lost', async () => {
  await open({ shape: 'A1', replicas: 2 })
  const user = await world.createUser()
  const { id, deck } = await makeDeck(user)
  const urls = world.gateways.map(({ url }) => url)
  // Each writes all slides, so two at once would undo each other.
  const results = await Promise.all(
    [0, 1, 2, 0, 1, 2].map((index, n) =>
      user.api(`/presentations/${id}/slides/${index}`, {
        method: 'PATCH',
        body: n < 3 ? { speaker_note: `Note ${index}` } : { content: { title: `Title ${index}` } },
        baseUrl: urls[n % 2]!,
      }),
    ),
  )
  expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
  expect(results.map(({ body }) => body.revision).sort()).toEqual([2, 3, 4, 5, 6, 7])
  expect(deck.slides).toMatchObject(
    [0, 1, 2].map((n) => ({ speaker_note: `Note ${n}`, content: { title: `Title ${n}` } })),
  )
  await world.expectNoLeaks()
})

test('of changes that are based on one revision, one wins', async () => {
  await open({ replicas: 2 })
  const user = await world.createUser()
  const { note } = await makeDeck(user)
  const urls = world.gateways.map(({ url }) => url)
  const results = await Promise.all(
    [0, 1, 2, 3].map((n) => note(`Note ${n}`, urls[n % 2], { 'if-match': '"1"' })),
  )
  expect(results.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412])
})

test('a change that waits for over ten seconds is refused, and the deck stays locked', async () => {
  await open()
  const user = await world.createUser()
  const { note } = await makeDeck(user)
  world.presenton.gates.hold('slide-update')
  const slow = note('slow')
  await world.presenton.gates.arrived('slide-update')
  const startedMs = performance.now()
  expect(await note('fast')).toMatchObject({ status: 409, body: { code: 'CONFLICT' } })
  expect(performance.now() - startedMs).toBeGreaterThan(9_500)
  world.presenton.gates.release('slide-update')
  expect(await slow).toMatchObject({ status: 200, body: { revision: 2 } })
}, 60_000)

test.each([
  // Upstream stops with its client, or has stored what it was asked to.
  ['slide-update', 2, false],
  ['slide-update:reply', 2, true],
  ['read', 1, false],
] as const)(
  'a crash at %s leaves revision %i and a free deck',
  async (point, revision, isStored) => {
    await open()
    const user = await world.createUser()
    const { deck, note, read } = await makeDeck(user)
    const crashing = await world.spawnReplica({ WORKER: 'false' })
    const before = deck.slides[0]?.speaker_note
    world.presenton.gates.hold(point)
    const lost = note('lost', crashing.url).catch(() => undefined)
    await world.presenton.gates.arrived(point)
    await crashing.kill()
    await lost
    world.presenton.gates.release(point)
    expect(deck.slides[0]?.speaker_note).toBe(isStored ? 'lost' : before)
    // The next change waits for the lease of the crashed holder, and finds the deck changed.
    const based = await note('next', world.url, { 'if-match': `"${revision}"` })
    expect(based).toMatchObject({ status: 200, body: { revision: revision + 1 } })
    expect(await read()).toMatchObject({ revision: revision + 1 })
    await world.expectNoLeaks()
  },
)

test('an abandoned change is counted without another one', async () => {
  await open()
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  await world.query(
    `insert into gateway.deck_changes values ($1, gen_random_uuid(), now() - interval '1 s', true)`,
    [id],
  )
  await waitFor(async () => expect(await user.read(id)).toMatchObject({ revision: 2 }))
}, 60_000)

test.each(shapes)('with shape %s, a lost answer is looked up', async (shape) => {
  await open({ shape })
  const user = await world.createUser()
  const { note, read } = await makeDeck(user)
  const operation = shape === 'A1' || shape === 'T' ? 'update' : 'slide-update'
  world.presenton.faults.inject(`${operation}:reply-lost`)
  expect(await note('stored')).toMatchObject({ status: 200, body: { revision: 2 } })
  world.presenton.faults.inject(`${operation}:500`)
  expect(await note('failed')).toMatchObject({ status: 502, body: { code: 'UPSTREAM_ERROR' } })
  expect(await read()).toMatchObject({ revision: 2, slides: { 0: { speaker_note: 'stored' } } })
  world.presenton.faults.inject(`${operation}:reset`)
  expect(await note('reset')).toMatchObject({ status: 502 })
  // It is unknown what a lost request still does.
  expect(await note('after')).toMatchObject({ status: 200, body: { revision: 4 } })
})

test('an upstream that is away or has lost the deck changes nothing', async () => {
  await open()
  const user = await world.createUser()
  const { id, deck, note } = await makeDeck(user)
  await world.presenton.faults.down()
  expect(await note('x')).toMatchObject({ status: 503, body: { code: 'UPSTREAM_UNAVAILABLE' } })
  await world.presenton.faults.up()
  world.presenton.faults.inject('slide-update:422')
  expect(await note('x')).toMatchObject({ status: 422, body: { code: 'UPSTREAM_REJECTED' } })
  expect(await user.read(id)).toMatchObject({ revision: 1 })
  const path = `/api/v1/ppt/presentation/${deck.id}`
  await fetch(`${world.presenton.url}${path}`, { method: 'DELETE' })
  expect(await note('x')).toMatchObject({ status: 422, body: { code: 'UPSTREAM_REJECTED' } })
  expect(await world.query('select 1 from gateway.deck_changes')).toEqual([])
})

test('slides change during a further export, and in no other state but completed', async () => {
  await open()
  const [user, other] = [await world.createUser(), await world.createUser()]
  const change = { method: 'PATCH', body: { speaker_note: 'x' } }
  const { id } = await reachState(world, user, 'exporting')
  expect(await user.api(`/presentations/${id}/slides/0`, change)).toMatchObject({ status: 200 })
  expect(await other.api(`/presentations/${id}/slides/0`, change)).toMatchObject({ status: 404 })
  world.presenton.gates.releaseAll()
  const { files } = await user.waitUntilSettled(id)
  // Its export began before the change.
  expect(files).toMatchObject([{ stale: true }, { revision: 1, stale: true }])
  for (const state of ['running slides', 'awaiting_outlines', 'failed', 'cancelled'] as const) {
    const owner = await world.createUser()
    const presentation = await reachState(world, owner, state)
    const response = await owner.api(`/presentations/${presentation.id}/slides/0`, change)
    expect(response, state).toMatchObject({ status: 409, body: { code: 'CONFLICT' } })
    world.presenton.gates.releaseAll()
    await owner.waitUntilSettled(presentation.id)
  }
}, 60_000)

test('one key adds one slide, also after a crash', async () => {
  await open({ shape: 'T', replicas: 2 })
  const user = await world.createUser()
  const { id, deck } = await makeDeck(user)
  const add = (key: string, body: object = { after: 0, copy_of: 1 }, baseUrl = world.url) =>
    user.api(`/presentations/${id}/slides`, {
      method: 'POST',
      body,
      baseUrl,
      headers: { 'idempotency-key': key },
    })
  const urls = world.gateways.map(({ url }) => url)
  const both = await Promise.all(urls.map((url) => add('one', undefined, url)))
  expect(both.map(({ status }) => status)).toEqual([201, 201])
  expect(both.map(({ headers }) => headers.get('idempotency-replayed')).sort()).toEqual([
    null,
    'true',
  ])
  expect(both[0]?.body).toEqual(both[1]?.body)
  expect(await add('one', { after: 1, copy_of: 1 })).toMatchObject({
    status: 422,
    body: { code: 'IDEMPOTENCY_KEY_REUSED' },
  })
  expect(deck.slides).toHaveLength(4)

  const crashing = await world.spawnReplica({ WORKER: 'false' })
  world.presenton.gates.hold('update:reply')
  const lost = add('two', undefined, crashing.url).catch(() => undefined)
  await world.presenton.gates.arrived('update:reply')
  await crashing.kill()
  await lost
  await waitFor(() => expect(world.presenton.openRequests).toBe(0))
  world.presenton.gates.release('update:reply')
  const repeated = await add('two')
  expect(repeated).toMatchObject({ status: 201, body: { revision: 3 } })
  expect(deck.slides).toHaveLength(5)
  expect(await user.read(id)).toMatchObject({ n_slides: 5, slides_done: 5 })
  // A refusal frees the key.
  expect(await add('three', { after: 9, copy_of: 0 })).toMatchObject({ status: 404 })
  expect(await add('three')).toMatchObject({ status: 201 })
})

test('added slides count for the quota of slides, exactly', async () => {
  await open({ replicas: 2, env: { QUOTA_TOTAL_SLIDES: '8' } })
  const user = await world.createUser()
  const decks = [await makeDeck(user), await makeDeck(user)]
  const urls = world.gateways.map(({ url }) => url)
  const add = (n: number) =>
    user.api(`/presentations/${decks[n % 2]!.id}/slides`, {
      method: 'POST',
      body: { after: 0, copy_of: 0 },
      baseUrl: urls[n % 2]!,
    })
  const statuses = (await Promise.all([0, 1, 2, 3, 4, 5].map(add))).map(({ status }) => status)
  expect(statuses.sort()).toEqual([201, 201, 402, 402, 402, 402])
  world.presenton.faults.inject('update:500')
  await user.api(`/presentations/${decks[0]!.id}/slides/0`, { method: 'DELETE' })
  expect(await add(0)).toMatchObject({ status: 402, body: { code: 'QUOTA_EXHAUSTED' } })
  await user.api(`/presentations/${decks[0]!.id}/slides/0`, { method: 'DELETE' })
  world.presenton.faults.inject('update:500')
  expect(await add(1)).toMatchObject({ status: 502 })
  expect(await add(1)).toMatchObject({ status: 201 })
  const usage = async () => (await user.api('/usage')).body.total_slides
  expect(await usage()).toMatchObject({ used: 8, remaining: 0 })
  // A replica that crashed before it wrote has reserved a slide more: the next change finds out.
  await world.query('update gateway.ledger set slides = slides + 1')
  for (const { note } of decks) expect(await note('New')).toMatchObject({ status: 200 })
  expect(await usage()).toMatchObject({ used: 8 })
})

test('invalid bodies are refused before upstream is asked', async () => {
  await open({ shape: 'A1' })
  const user = await world.createUser()
  const { id } = await makeDeck(user)
  const calls = world.presenton.journal.length
  const big = { text: 'x'.repeat(256 * 1024) }
  const invalid = [
    ...[{}, { content: 'text' }, { content: [] }, { content: null }, { ui: 7 }, { other: {} }],
    ...[{ speaker_note: null }, { speaker_note: 'x'.repeat(10_001) }, { speaker_note: '\u0007' }],
    ...[{ content: big }, { content: { a: 'NUL \0' } }, { content: { a: ['\ud800'] } }],
  ]
  for (const body of invalid)
    expect(
      await user.api(`/presentations/${id}/slides/0`, { method: 'PATCH', body }),
      JSON.stringify(body).slice(0, 100),
    ).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } })
  for (const body of [{}, { after: '0' }, { after: 0.5 }, { after: 0, copy_of: null }])
    expect(await user.api(`/presentations/${id}/slides`, { method: 'POST', body })).toMatchObject({
      status: 400,
    })
  expect(world.presenton.journal).toHaveLength(calls)
})

test('an image that a change names must be one that the user may see', async () => {
  await open({ shape: 'A1' })
  const [user, other] = [await world.createUser(), await world.createUser()]
  const [own, foreign] = [await makeDeck(user), await makeDeck(other)]
  const image = (owner: User, path: string) => owner.api(`${world.url}${path}`)
  const record = (owner: User, id: string, path: string) =>
    world.query('insert into gateway.assets values ($1, $2, $3)', [owner.sub, path, id])
  await record(other, foreign.id, '/app_data/images/theirs.png')
  await record(user, own.id, '/app_data/images/ours.png')
  const patch = (value: string) =>
    user.api(`/presentations/${own.id}/slides/0`, {
      method: 'PATCH',
      body: { content: { image: { __image_url__: value, __image_prompt__: 'a: b' } } },
    })
  for (const refused of [
    '/app_data/images/theirs.png',
    'http://169.254.169.254/latest/meta-data',
    'file:///etc/passwd',
    '//elsewhere.example/x.png',
    '/app_data/images/../userConfig.json',
    '/app_data/userConfig.json',
    'jav\tascript:alert(1)',
  ]) {
    const response = await patch(refused)
    expect(response, refused).toMatchObject({
      status: 400,
      body: { errors: [{ path: '/content/image/__image_url__' }] },
    })
  }
  for (const accepted of [
    '/app_data/images/ours.png',
    '/static/images/x.jpg',
    'data:image/png;base64,',
  ])
    expect(await patch(accepted), accepted).toMatchObject({ status: 200 })
  const limited = await world.openReplica({ SLIDE_IMAGE_HOSTS: 'images.example' })
  const path = `${limited.url}/api/v1/presentations/${own.id}/slides/0`
  for (const [src, status] of [
    ['https://images.example/a.png', 200],
    ['https://images.example.evil/a.png', 400],
    ['http://images.example/a.png', 400],
  ] as const) {
    const body = { content: { image: { src } } }
    expect((await user.api(path, { method: 'PATCH', body })).status, src).toBe(status)
  }
  await world.closeReplica(limited)
  expect((await image(user, '/app_data/images/theirs.png')).status).toBe(404)
  const rows = await world.query('select path from gateway.assets where presentation_id = $1', [
    own.id,
  ])
  expect(rows).toContainEqual({ path: '/app_data/images/ours.png' })
  expect(rows).not.toContainEqual({ path: '/app_data/images/theirs.png' })
  expect(brief.n_slides).toBe(3)
})
