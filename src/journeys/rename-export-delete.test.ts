// The name and the files of a finished deck: renamed at any time, exported again, and gone for good
// when their owner says so.

import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { Client } from 'minio'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { holdInStage, reachState, releaseStage } from './presentation-states.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let store: Client
/** A replica that works on nothing. */
let other: string
beforeAll(async () => {
  world = await openWorld({ env: { MAX_RUNNING_PER_USER: '1' } })
  other = (await world.openReplica({ WORKER: 'false' })).url
  const { hostname, port } = new URL(world.objects.endpoint)
  const { accessKey, secretKey, region } = world.objects
  store = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey,
    secretKey,
    region,
  })
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const json = { accept: 'application/json' }
const download = (user: User, id: string, format = '') =>
  user.api(`/presentations/${id}/download${format && `?format=${format}`}`, { headers: json })
const exportAs = (user: User, id: string, format: string, at = other) =>
  user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format }, at })
const remove = (user: User, id: string) =>
  user.api(`/presentations/${id}`, { method: 'DELETE', at: other })
const isStored = async (url: string) => (await fetch(url)).status === 200

/** The keys in the store that belong to this presentation. */
async function keysOf(id: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { name } of store.listObjectsV2('presentations', '', true))
    if (name?.includes(id)) keys.push(name)
  return keys.sort()
}

test('a rename in the middle of a run outlives it, and names the file and the deck at its end', async () => {
  const user = await world.user()
  const { id } = await holdInStage(world, user, 'slides')
  const reader = await user.follow(id, { at: other })
  const title = 'Büro "Q1"'
  const renamed = await user.api(`/presentations/${id}`, {
    method: 'PATCH',
    body: { title },
    at: other,
  })
  expect(renamed).toMatchObject({
    status: 200,
    body: { title, status: 'running', stage: 'slides' },
  })
  releaseStage(world, 'slides')
  const { data } = (await reader.rest()).at(-1)!
  expect(data).toMatchObject({
    type: 'complete',
    presentation: { title },
    download: { file_name: expect.stringMatching(/^Büro.*Q1.*\.pptx$/) },
  })
  expect(await user.read(id)).toMatchObject({ title, status: 'completed' })

  await user.api(`/presentations/${id}`, { method: 'PATCH', body: { title: 'Finally' } })
  expect((await download(user, id)).body.file_name).toBe('Finally.pptx')
})

test('a title that says nothing, or that no title may be, is refused', async () => {
  const user = await world.user()
  const { id, title } = await reachState(world, user, 'completed')
  const bad = ['', ' ', '\u200b', 'x'.repeat(201), 'a\u0000', 'a\u001b', 7, null, undefined, ['a']]
  const bodies = [
    ...bad.map((one) => ({ title: one })),
    { title: 'good', other: 1 },
    {},
    [],
    '',
    undefined,
  ]
  for (const body of bodies) {
    const answer = await user.api(`/presentations/${id}`, { method: 'PATCH', body })
    expect(answer, JSON.stringify(body)).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    })
  }
  expect((await user.read(id)).title).toBe(title)
  const longest = '🚀'.repeat(200)
  expect(
    await user.api(`/presentations/${id}`, { method: 'PATCH', body: { title: longest } }),
  ).toMatchObject({
    body: { title: longest },
  })
})

test('a further export adds a file, and its own run to the log; the deck and its files stay meanwhile', async () => {
  const user = await world.user()
  const { id } = await reachState(world, user, 'exporting')
  expect((await download(user, id)).body.content_type).toContain('presentation')
  expect(await download(user, id, 'pdf')).toMatchObject({
    status: 409,
    body: { code: 'NOT_READY' },
  })
  const reader = await user.follow(id)
  releaseStage(world, 'export')
  const log = await reader.rest()
  expect(log.at(-1)?.data).toMatchObject({
    type: 'complete',
    run: 2,
    download: { content_type: 'application/pdf' },
  })
  const own = log.filter(({ data }) => data.run === 2)
  expect(own[0]?.data).toEqual({ type: 'queued', position: 1, run: 2 })
  expect(own.filter(({ data }) => data.type === 'stage').map(({ data }) => data.stage)).toEqual([
    'export',
    'store',
  ])
  const done = await user.read(id)
  expect(done).toMatchObject({
    status: 'completed',
    export_as: 'pptx',
    run: 2,
    progress: 1,
    error: null,
    stage: null,
  })
  expect(done.files).toMatchObject([{ format: 'pptx' }, { format: 'pdf' }])
  expect((await download(user, id)).body.file_name).toMatch(/\.pptx$/)
  expect((await download(user, id, 'pdf')).body.file_name).toMatch(/\.pdf$/)
})

test('the same format again gives a new file; links to the one before work until they end', async () => {
  const user = await world.user()
  const { id } = await user.make()
  const [{ body: before }, first] = [await download(user, id), await user.read(id)]
  expect(await exportAs(user, id, 'pptx')).toMatchObject({
    status: 202,
    body: { status: 'running', stage: 'export' },
  })
  const done = await user.settled(id)
  expect(done).toMatchObject({ status: 'completed', files: [{ format: 'pptx' }] })
  expect(
    (done.files as { stored_at: string }[])[0]!.stored_at >
      (first.files as { stored_at: string }[])[0]!.stored_at,
  ).toBe(true)
  expect(await keysOf(id)).toEqual([
    expect.stringMatching(new RegExp(`${id}-2\\.pptx$`)),
    expect.stringMatching(new RegExp(`${id}\\.pptx$`)),
  ])
  expect(await isStored(before.url)).toBe(true)
})

test.each([
  ['is refused', 'export:422', 'UPSTREAM_REJECTED'],
  ['finds its deck gone', 'export:404', 'UPSTREAM_ERROR'],
] as const)(
  'a further export that %s leaves the deck completed, with what went wrong',
  async (_, fault, code) => {
    const user = await world.user()
    const made = await user.make()
    world.presenton.faults.inject(fault)
    await exportAs(user, made.id, 'pdf')
    const failed = await user.settled(made.id)
    expect(failed).toEqual({
      ...made,
      run: 2,
      attempt: expect.any(Number),
      error: expect.objectContaining({ code }),
      updated_at: expect.any(String),
    })
    expect(await isStored((await download(user, made.id)).body.url)).toBe(true)
    expect((await (await user.follow(made.id)).rest()).at(-1)?.data).toMatchObject({
      type: 'error',
      code,
      run: 2,
    })
    // And it can be tried again.
    await exportAs(user, made.id, 'pdf')
    expect(await user.settled(made.id)).toMatchObject({
      status: 'completed',
      run: 3,
      error: null,
      files: [{}, {}],
    })
  },
)

test('ten exports an hour are enough, and after the time that is told there is room for one', async () => {
  const user = await world.user()
  const { id } = await user.make()
  await world.query(
    `update gateway.presentations set export_times = array_fill(now() - interval '50 minutes', array[10]) where id = $1`,
    [id],
  )
  const refused = await exportAs(user, id, 'pdf')
  expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMIT_EXCEEDED' } })
  const wait = Number(refused.headers.get('retry-after'))
  expect(wait).toBeGreaterThan(590)
  expect(wait).toBeLessThanOrEqual(600)
  const pass = (seconds: number) =>
    world.query(
      `update gateway.presentations set export_times = array(select t - $2 * interval '1 second' from unnest(export_times) t) where id = $1`,
      [id, seconds],
    )
  await pass(wait - 5)
  expect(await exportAs(user, id, 'pdf')).toMatchObject({ status: 429 })
  await pass(5)
  expect(await exportAs(user, id, 'pdf')).toMatchObject({ status: 202 })
  await user.settled(id)
})

test('a format that is none is refused', async () => {
  const user = await world.user()
  const { id } = await user.make()
  for (const body of [
    { format: 'ppt' },
    { format: null },
    {},
    { format: 'pdf', other: 1 },
    '',
    undefined,
  ]) {
    const answer = await user.api(`/presentations/${id}/exports`, { method: 'POST', body })
    expect(answer, JSON.stringify(body)).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    })
  }
})

test('what is deleted is gone for all who ask and all who watch, in the store, and upstream', async () => {
  const user = await world.user()
  const { id, presenton_presentation_id: deckId } = await reachState(world, user, 'exporting')
  const { url } = (await download(user, id)).body
  const readers = await Promise.all([world.url, other].map((at) => user.follow(id, { at })))
  for (const reader of readers) await reader.expectNext('queued')
  expect(await remove(user, id)).toMatchObject({ status: 204, body: '' })
  for (const reader of readers) {
    const rest = await reader.rest(2_000)
    expect(
      rest.filter(({ data }) => ['complete', 'error'].includes(data.type) && data.run === 2),
    ).toEqual([])
    expect(await reader.ended).toBe('clean')
  }
  expect(await remove(user, id)).toMatchObject({ status: 404 })
  for (const path of ['', '/events', '/download', '/outlines'])
    expect(await user.api(`/presentations/${id}${path}`)).toMatchObject({ status: 404 })
  expect((await user.api('/presentations')).body.items).toEqual([])
  await vi.waitFor(async () => expect(await isStored(url)).toBe(false), { timeout: 5_000 })
  await vi.waitFor(() => expect(world.presenton.decks.has(String(deckId))).toBe(false), {
    timeout: 5_000,
  })
  expect(await keysOf(id)).toEqual([])
})

test('deleted while the store and upstream are away, it is gone at once, and there as soon as they are back', async () => {
  const user = await world.user()
  const [one, another] = [await user.make(), await user.make()]
  await world.objects.down()
  await world.presenton.faults.down()
  expect(await remove(user, one.id)).toMatchObject({ status: 204 })
  expect(await user.api(`/presentations/${one.id}`)).toMatchObject({ status: 404 })
  expect(
    await world.query('select 1 from gateway.uploads where remove_after <= now()'),
  ).toHaveLength(1)
  await world.objects.up()
  await world.presenton.faults.up()
  // The next deletion takes with it what was left.
  expect(await remove(user, another.id)).toMatchObject({ status: 204 })
  for (const { id, presenton_presentation_id: deckId } of [one, another]) {
    await vi.waitFor(async () => expect(await keysOf(id)).toEqual([]), { timeout: 10_000 })
    await vi.waitFor(() => expect(world.presenton.decks.has(String(deckId))).toBe(false), {
      timeout: 20_000,
    })
  }
})

test('one deck that upstream will not give up keeps back no other', async () => {
  const user = await world.user()
  const [stuck, fine] = [await user.make(), await user.make()]
  world.presenton.faults.inject('delete:500', {
    deckId: String(stuck.presenton_presentation_id),
    times: Infinity,
  })
  for (const { id } of [stuck, fine]) await remove(user, id)
  await vi.waitFor(
    () => expect(world.presenton.decks.has(String(fine.presenton_presentation_id))).toBe(false),
    {
      timeout: 5_000,
    },
  )
  const due = () => world.query('select 1 from gateway.decks where remove_after <= now()')
  await vi.waitFor(async () => expect(await due()).toEqual([]), { timeout: 5_000 })
  expect(world.presenton.decks.has(String(stuck.presenton_presentation_id))).toBe(true)
  // Its time comes again.
  world.presenton.faults.clear()
  await world.query('update gateway.decks set remove_after = now() where remove_after is not null')
  const { id } = await user.make()
  await remove(user, id)
  await vi.waitFor(
    () => expect(world.presenton.decks.has(String(stuck.presenton_presentation_id))).toBe(false),
    {
      timeout: 5_000,
    },
  )
})

test('deleted in the middle of its upload, no object stays for ever', async () => {
  const user = await world.user()
  world.presenton.gates.hold('file:part')
  const { id } = await user.accept(brief)
  await world.presenton.gates.arrived('file:part')
  const call = world.presenton.journal.at(-1)!
  expect(await remove(user, id)).toMatchObject({ status: 204 })
  await vi.waitFor(() => expect(call.aborted).toBe(true), { timeout: 1_000, interval: 5 })
  world.presenton.gates.release('file:part')
  expect(await keysOf(id)).toEqual([])
  // A worker that was stopped in the middle may still have written it: the key is removed once more
  // when that can't be any more.
  const [kept] = await world.query<{ key: string }>(
    'select object_key as key from gateway.uploads where presentation_id = $1',
    [id],
  )
  await store.putObject('presentations', kept!.key, 'late')
  await world.query('update gateway.uploads set remove_after = now() where presentation_id = $1', [
    id,
  ])
  const { id: next } = await user.make()
  await remove(user, next)
  await vi.waitFor(async () => expect(await keysOf(id)).toEqual([]), { timeout: 5_000 })
})

test('what the store gives back otherwise than it was given is not called stored: it is put there once more', async () => {
  const user = await world.user()
  const isReadBack = ({ method, headers }: { method: string; headers: object }) =>
    method === 'GET' && 'range' in headers
  const reading = world.objects.fault({ kind: 'stall' }, { match: isReadBack })
  const { id } = await user.accept({ ...brief, export_as: 'pdf' })
  await vi.waitFor(() => expect(reading.hits).toHaveLength(1), 10_000)
  const [key] = await keysOf(id)
  const bytes = await buffer(await store.getObject('presentations', key!))
  // One byte before its end, and it is still a PDF.
  bytes[bytes.length - 100]! ^= 1
  await store.putObject('presentations', key!, bytes)
  reading.release()
  expect(await user.settled(id)).toMatchObject({ status: 'completed' })
  const { url, sha256 } = (await download(user, id)).body
  const stored = Buffer.from(await (await fetch(url)).arrayBuffer())
  expect(createHash('sha256').update(stored).digest('hex')).toBe(sha256)
  expect(url).toContain(`${id}-2.pdf`)
})
