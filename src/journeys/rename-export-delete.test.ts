// Rename, export and delete: a title changes at any time, an export adds or replaces a file, and a
// delete removes rows, stored objects and the upstream deck.

import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { Client } from 'minio'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../sandbox/wait-for.ts'
import { holdInStage, reachState, releaseStage } from './presentation-states.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let store: Client
/** URL of a replica without a worker. */
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
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const json = { accept: 'application/json' }
const download = (user: User, id: string, format = '') =>
  user.api(`/presentations/${id}/download${format && `?format=${format}`}`, { headers: json })
const exportAs = (user: User, id: string, format: string, baseUrl = other) =>
  user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format }, baseUrl })
const remove = (user: User, id: string) =>
  user.api(`/presentations/${id}`, { method: 'DELETE', baseUrl: other })
const isStored = async (url: string) => (await fetch(url)).status === 200

/** Keys of all stored objects of the presentation, sorted. */
async function listKeys(id: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { name } of store.listObjectsV2('presentations', '', true))
    if (name?.includes(id)) keys.push(name)
  return keys.sort()
}

test('a rename during a run is kept, and names the file in the `complete` event', async () => {
  const user = await world.createUser()
  const { id } = await holdInStage(world, user, 'slides')
  const reader = await user.subscribe(id, { baseUrl: other })
  const title = 'Büro "Q1"'
  const renamed = await user.api(`/presentations/${id}`, {
    method: 'PATCH',
    body: { title },
    baseUrl: other,
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

  await user.api(`/presentations/${id}`, { method: 'PATCH', body: { title: 'Final' } })
  expect((await download(user, id)).body.file_name).toBe('Final.pptx')
})

test('returns 400 for a blank or invalid title', async () => {
  const user = await world.createUser()
  const { id, title } = await reachState(world, user, 'completed')
  const titles = [
    '',
    ' ',
    '\u200b',
    'x'.repeat(201),
    'a\u0000',
    'a\u001b',
    7,
    null,
    undefined,
    ['a'],
  ]
  const bodies = [
    ...titles.map((title) => ({ title })),
    { title: 'valid', other: 1 },
    {},
    [],
    '',
    undefined,
  ]
  for (const body of bodies) {
    const response = await user.api(`/presentations/${id}`, { method: 'PATCH', body })
    expect(response, JSON.stringify(body)).toMatchObject({
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

test('an export adds a file and a run to the log, and keeps existing files available', async () => {
  const user = await world.createUser()
  const { id } = await reachState(world, user, 'exporting')
  expect((await download(user, id)).body.content_type).toContain('presentation')
  expect(await download(user, id, 'pdf')).toMatchObject({
    status: 409,
    body: { code: 'NOT_READY' },
  })
  const reader = await user.subscribe(id)
  releaseStage(world, 'export')
  const log = await reader.rest()
  expect(log.at(-1)?.data).toMatchObject({
    type: 'complete',
    run: 2,
    download: { content_type: 'application/pdf' },
  })
  const exportRun = log.filter(({ data }) => data.run === 2)
  expect(exportRun[0]?.data).toEqual({ type: 'queued', position: 1, run: 2 })
  expect(
    exportRun.filter(({ data }) => data.type === 'stage').map(({ data }) => data.stage),
  ).toEqual(['export', 'store'])
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

test('exporting the same format again stores a new file, and links to the old one stay valid', async () => {
  const user = await world.createUser()
  const { id } = await user.generate()
  const [{ body: before }, first] = [await download(user, id), await user.read(id)]
  expect(await exportAs(user, id, 'pptx')).toMatchObject({
    status: 202,
    body: { status: 'running', stage: 'export' },
  })
  const done = await user.waitUntilSettled(id)
  expect(done).toMatchObject({ status: 'completed', files: [{ format: 'pptx' }] })
  expect(
    (done.files as { stored_at: string }[])[0]!.stored_at >
      (first.files as { stored_at: string }[])[0]!.stored_at,
  ).toBe(true)
  expect(await listKeys(id)).toEqual([
    expect.stringMatching(new RegExp(`${id}-2\\.pptx$`)),
    expect.stringMatching(new RegExp(`${id}\\.pptx$`)),
  ])
  expect(await isStored(before.url)).toBe(true)
})

test.each([
  ['is rejected by upstream', 'export:422', 'UPSTREAM_REJECTED'],
  ['finds no deck upstream', 'export:404', 'UPSTREAM_REJECTED'],
] as const)(
  'an export that %s leaves the presentation completed, with the error',
  async (_, fault, code) => {
    const user = await world.createUser()
    const presentation = await user.generate()
    world.presenton.faults.inject(fault)
    await exportAs(user, presentation.id, 'pdf')
    const failed = await user.waitUntilSettled(presentation.id)
    expect(failed).toEqual({
      ...presentation,
      run: 2,
      attempt: expect.any(Number),
      error: expect.objectContaining({ code }),
      updated_at: expect.any(String),
    })
    expect(await isStored((await download(user, presentation.id)).body.url)).toBe(true)
    expect((await (await user.subscribe(presentation.id)).rest()).at(-1)?.data).toMatchObject({
      type: 'error',
      code,
      run: 2,
    })
    // The export can be requested again.
    await exportAs(user, presentation.id, 'pdf')
    expect(await user.waitUntilSettled(presentation.id)).toMatchObject({
      status: 'completed',
      run: 3,
      error: null,
      files: [{}, {}],
    })
  },
)

test('refuses the eleventh export of an hour, and accepts one after `Retry-After` seconds', async () => {
  const user = await world.createUser()
  const { id } = await user.generate()
  await world.query(
    `update gateway.presentations set export_times = array_fill(now() - interval '50 minutes', array[10]) where id = $1`,
    [id],
  )
  const refused = await exportAs(user, id, 'pdf')
  expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMIT_EXCEEDED' } })
  const retryAfterSeconds = Number(refused.headers.get('retry-after'))
  expect(retryAfterSeconds).toBeGreaterThan(590)
  expect(retryAfterSeconds).toBeLessThanOrEqual(600)
  const advanceClock = (seconds: number) =>
    world.query(
      `update gateway.presentations set export_times = array(select t - $2 * interval '1 second' from unnest(export_times) t) where id = $1`,
      [id, seconds],
    )
  await advanceClock(retryAfterSeconds - 5)
  expect(await exportAs(user, id, 'pdf')).toMatchObject({ status: 429 })
  await advanceClock(5)
  expect(await exportAs(user, id, 'pdf')).toMatchObject({ status: 202 })
  await user.waitUntilSettled(id)
})

test('returns 400 for an unknown or missing export format', async () => {
  const user = await world.createUser()
  const { id } = await user.generate()
  for (const body of [
    { format: 'ppt' },
    { format: null },
    {},
    { format: 'pdf', other: 1 },
    '',
    undefined,
  ]) {
    const response = await user.api(`/presentations/${id}/exports`, { method: 'POST', body })
    expect(response, JSON.stringify(body)).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    })
  }
})

test('a delete returns 404 afterwards, ends open streams, and removes the files and the deck', async () => {
  const user = await world.createUser()
  const { id, presenton_presentation_id: deckId } = await reachState(world, user, 'exporting')
  const { url } = (await download(user, id)).body
  const readers = await Promise.all(
    [world.url, other].map((baseUrl) => user.subscribe(id, { baseUrl })),
  )
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
  await waitFor(async () => expect(await isStored(url)).toBe(false))
  await waitFor(() => expect(world.presenton.decks.has(String(deckId))).toBe(false))
  expect(await listKeys(id)).toEqual([])
})

test('a delete during an outage of store and upstream returns 204, and they are cleaned up later', async () => {
  const user = await world.createUser()
  const [first, second] = [await user.generate(), await user.generate()]
  await world.objects.down()
  await world.presenton.faults.down()
  expect(await remove(user, first.id)).toMatchObject({ status: 204 })
  expect(await user.api(`/presentations/${first.id}`)).toMatchObject({ status: 404 })
  expect(
    await world.query('select 1 from gateway.uploads where remove_after <= now()'),
  ).toHaveLength(1)
  await world.objects.up()
  await world.presenton.faults.up()
  // The next delete also removes what the first one could not.
  expect(await remove(user, second.id)).toMatchObject({ status: 204 })
  for (const { id, presenton_presentation_id: deckId } of [first, second]) {
    await waitFor(async () => expect(await listKeys(id)).toEqual([]))
    await waitFor(() => expect(world.presenton.decks.has(String(deckId))).toBe(false))
  }
})

test('a deck that upstream fails to delete does not block the removal of others', async () => {
  const user = await world.createUser()
  const [failing, deletable] = [await user.generate(), await user.generate()]
  world.presenton.faults.inject('delete:500', {
    deckId: String(failing.presenton_presentation_id),
    times: Infinity,
  })
  for (const { id } of [failing, deletable]) await remove(user, id)
  await waitFor(() =>
    expect(world.presenton.decks.has(String(deletable.presenton_presentation_id))).toBe(false),
  )
  const dueDecks = () => world.query('select 1 from gateway.decks where remove_after <= now()')
  await waitFor(async () => expect(await dueDecks()).toEqual([]))
  expect(world.presenton.decks.has(String(failing.presenton_presentation_id))).toBe(true)
  // Once the fault is over and the deck is due again, it is removed.
  world.presenton.faults.clear()
  await world.query('update gateway.decks set remove_after = now() where remove_after is not null')
  const { id } = await user.generate()
  await remove(user, id)
  await waitFor(() =>
    expect(world.presenton.decks.has(String(failing.presenton_presentation_id))).toBe(false),
  )
})

test('a delete during an upload removes the object, even one written after the delete', async () => {
  const user = await world.createUser()
  world.presenton.gates.hold('file:part')
  const { id } = await user.submit(brief)
  await world.presenton.gates.arrived('file:part')
  const call = world.presenton.journal.at(-1)!
  expect(await remove(user, id)).toMatchObject({ status: 204 })
  await waitFor(() => expect(call.aborted).toBe(true))
  world.presenton.gates.release('file:part')
  expect(await listKeys(id)).toEqual([])
  // A paused worker may write the object after the delete. The key is removed again once no upload
  // can still be running.
  const [upload] = await world.query<{ key: string }>(
    'select object_key as key from gateway.uploads where presentation_id = $1',
    [id],
  )
  await store.putObject('presentations', upload!.key, 'late')
  await world.query('update gateway.uploads set remove_after = now() where presentation_id = $1', [
    id,
  ])
  const { id: next } = await user.generate()
  await remove(user, next)
  await waitFor(async () => expect(await listKeys(id)).toEqual([]))
})

test('uploads a file again when the store returns other bytes than were uploaded', async () => {
  const user = await world.createUser()
  const isVerification = ({ method, headers }: { method: string; headers: object }) =>
    method === 'GET' && 'range' in headers
  const verification = world.objects.injectFault({ kind: 'stall' }, { match: isVerification })
  const { id } = await user.submit({ ...brief, export_as: 'pdf' })
  await waitFor(() => expect(verification.hits).toHaveLength(1))
  const [key] = await listKeys(id)
  const bytes = await buffer(await store.getObject('presentations', key!))
  // A flipped bit near the end leaves a valid PDF, so only the checksum can tell.
  bytes[bytes.length - 100]! ^= 1
  await store.putObject('presentations', key!, bytes)
  verification.release()
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  const { url, sha256 } = (await download(user, id)).body
  const stored = Buffer.from(await (await fetch(url)).arrayBuffer())
  expect(createHash('sha256').update(stored).digest('hex')).toBe(sha256)
  expect(url).toContain(`${id}-2.pdf`)
})

test('an export of a deck that upstream has lost is rejected, and no retry is offered', async () => {
  const user = await world.createUser()
  const done = await user.waitUntilSettled((await user.submit(brief)).id)
  const deck = `/api/v1/ppt/presentation/${done.presenton_presentation_id}`
  expect((await fetch(`${world.presenton.url}${deck}`, { method: 'DELETE' })).ok).toBe(true)
  expect((await exportAs(user, done.id, 'pdf')).status).toBe(202)
  expect(await user.waitUntilSettled(done.id)).toMatchObject({
    status: 'completed',
    files: [{ format: 'pptx' }],
    error: { code: 'UPSTREAM_REJECTED', retryable: false },
  })
})
