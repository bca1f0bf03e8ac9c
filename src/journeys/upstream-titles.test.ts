// The titles of decks as people see them in Presenton: always the user's, except during an export
// of a version that names files by title alone. There two decks must never share a file.

import { afterEach, describe, expect, test } from 'vitest'
import { readZip } from '../sandbox/presenton/content/zip.ts'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { awkwardTitles } from './awkward-titles.ts'
import { readLog } from './event-log-rules.ts'
import { upstreamOptions } from './upstream-options.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
afterEach(async () => {
  await world.expectNoLeaks()
  await world.close()
})

const noWaits: WorldOptions['timing'] = { sleep: async () => undefined, random: () => 0 }

async function open(shape: Shape, options: WorldOptions = {}) {
  const upstream = upstreamOptions(shape)
  const parallel = { MAX_RUNNING: '8', MAX_RUNNING_PER_USER: '8' }
  const env = { ...parallel, ...upstream.env, ...options.env }
  world = await openWorld({ ...upstream, ...options, env })
  return world.createUser()
}

const deckOf = ({ presenton_presentation_id: id }: Record<string, unknown>) =>
  world.presenton.decks.get(String(id))!
const updates = () => world.presenton.journal.filter(({ operation }) => operation === 'update')

async function exportAgain(user: User, id: string, format = 'pdf') {
  const options = { method: 'POST', body: { format } }
  expect(await user.api(`/presentations/${id}/exports`, options)).toMatchObject({ status: 202 })
  return user.waitUntilSettled(id)
}

async function textOf(user: User, id: string): Promise<string> {
  const headers = { accept: 'application/json' }
  const { body } = await user.api(`/presentations/${id}/download?format=pptx`, { headers })
  const bytes = Buffer.from(await (await fetch(body.url)).arrayBuffer())
  return [...(await readZip(bytes)).values()].map(String).join('\n')
}

describe.each<Shape>([...shapes])('in shape %s', (shape) => {
  test('are those of the users after a run and after a further export', async () => {
    const user = await open(shape)
    const titles = awkwardTitles.filter((_, i) => i % 4 === 0 || i >= 39)
    const made = await Promise.all(
      titles.map(async (title) => {
        const done = await user.generate({ outlines: ['# One'], title })
        return { title, done }
      }),
    )
    for (const { title, done } of made) expect(deckOf(done).title).toBe(title)
    for (const { title, done } of made.slice(0, 3)) {
      expect(await exportAgain(user, done.id)).toMatchObject({ status: 'completed', error: null })
      expect(deckOf(done).title).toBe(title)
    }
    const { title } = await user.generate()
    const last = [...world.presenton.decks.values()].at(-1)
    expect(last?.title).toBe(title)
  })

  test('may be equal: 12 decks at once and their further exports get their own files', async () => {
    const user = await open(shape)
    const made = await Promise.all(
      Array.from({ length: 12 }, async (_, number) => {
        const mark = `Mark ${number} of many`
        const outlines = [`# Same\n\n- ${mark}`]
        const { id } = await user.generate({ title: 'Same', outlines })
        return { id, mark }
      }),
    )
    await Promise.all(made.map(({ id }) => exportAgain(user, id, 'pptx')))
    for (const { id, mark } of made) expect(await textOf(user, id)).toContain(mark)
    const decks = [...world.presenton.decks.values()]
    expect(new Set(decks.map(({ title }) => title))).toEqual(new Set(['Same']))
    const owners = new Map<string, Set<string>>()
    for (const { id, exports } of decks)
      for (const { path } of exports) owners.set(path, (owners.get(path) ?? new Set()).add(id))
    const shared = [...owners].filter(([, ids]) => ids.size > 1)
    // An optimistic further export may be written under the shared name. It is never fetched.
    const fetched = world.presenton.journal
      .filter(({ operation }) => operation === 'file')
      .map(({ path }) => decodeURIComponent(path))
    for (const [path] of shared) expect(fetched).not.toContain(path)
  })

  test('are put back after the last failed export', async () => {
    const user = await open(shape, { timing: noWaits, env: { BREAKER_MIN_CALLS: '1000' } })
    world.presenton.faults.inject('export:500', { times: 5 })
    const failed = await user.waitUntilSettled((await user.submit({ ...brief, title: 'Mine' })).id)
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_ERROR' } })
    expect(deckOf(failed).title).toBe('Mine')
    world.presenton.faults.inject('export:422')
    const rejected = await user.waitUntilSettled(
      (await user.submit({ ...brief, title: 'Mine' })).id,
    )
    expect(rejected).toMatchObject({ error: { code: 'UPSTREAM_REJECTED' } })
    expect(deckOf(rejected).title).toBe('Mine')
  })

  test('are put back after a cancel during an export', async () => {
    const user = await open(shape)
    world.presenton.gates.hold('export:work')
    const { id } = await user.submit({ ...brief, title: 'Mine' })
    await world.presenton.gates.arrived('export:work')
    const deck = deckOf(await user.read(id))
    await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
    await waitFor(() => expect(deck.title).toBe('Mine'))
    world.presenton.gates.releaseAll()
  })

  test('never fail a run that cannot put them back', async () => {
    const user = await open(shape)
    const { faults } = world.presenton
    const skip = shape === 'A1' ? 1 : 0
    faults.inject('update:500', { skip, times: Number.POSITIVE_INFINITY })
    const log = readLog(await (await user.subscribe((await user.submit()).id)).rest())
    expect(log.terminal.type).toBe('complete')
    expect(log.stages.filter((stage) => stage === 'export')).toHaveLength(1)
    expect(updates()).toHaveLength(skip + 2)
    faults.clear()
  })

  test('are put back by a second try', async () => {
    const user = await open(shape)
    world.presenton.faults.inject('update:reset', { skip: shape === 'A1' ? 1 : 0 })
    expect(deckOf(await user.generate({ ...brief, title: 'Mine' })).title).toBe('Mine')
  })
})

test('are put back by the replica that takes over after a crash behind the export', async () => {
  const user = await open('A1', { replicas: 0, env: { LEASE_SECONDS: '2' } })
  const { gates } = world.presenton
  const crashing = await world.spawnReplica()
  gates.hold('update')
  const { body } = await user.post({ ...brief, title: 'Mine' }, {}, crashing.url)
  await gates.arrived('update', 1)
  gates.release('update', 1)
  await gates.arrived('update', 2)
  await crashing.kill()
  gates.releaseAll()
  await world.openReplica()
  expect(await user.waitUntilSettled(body.id)).toMatchObject({ status: 'completed' })
  expect(deckOf(await user.read(body.id)).title).toBe('Mine')
})

test('cost one change where files have an id: later decks have the title from prepare on', async () => {
  const user = await open('B2')
  await user.generate({ ...brief, title: 'First' })
  expect(updates()).toHaveLength(1)
  world.presenton.gates.hold('slides')
  const { id } = await user.submit({ ...brief, title: 'Second' })
  await world.presenton.gates.arrived('slides')
  expect(deckOf(await user.read(id)).title).toBe('Second')
  world.presenton.gates.releaseAll()
  const done = await user.waitUntilSettled(id)
  deckOf(done).theme = { name: 'ours' }
  await exportAgain(user, id)
  expect(updates()).toHaveLength(1)
  expect(deckOf(done)).toMatchObject({ title: 'Second', theme: { name: 'ours' } })
  expect(world.presenton.spend.exports).toBe(3)
})

test('keep the theme of a deck where upstream shows it', async () => {
  const user = await open('T')
  const done = await user.generate({ ...brief, title: 'Mine' })
  deckOf(done).theme = { name: 'ours' }
  await exportAgain(user, done.id)
  expect(updates().length).toBeGreaterThan(1)
  expect(deckOf(done)).toMatchObject({ title: 'Mine', theme: { name: 'ours' } })
})

test('are never in the way of a late response: a file of the shared name is not fetched', async () => {
  const user = await open('A1', { timing: noWaits })
  const { gates } = world.presenton
  gates.hold('export:work')
  const { id } = await user.submit({ ...brief, title: 'Mine' })
  await gates.arrived('export:work')
  // As if a delayed PATCH of an earlier holder came through now.
  deckOf(await user.read(id)).title = 'Mine'
  gates.releaseAll()
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.stages.filter((stage) => stage === 'export')).toHaveLength(2)
  expect(log.terminal.type).toBe('complete')
  const files = world.presenton.journal.filter(({ operation }) => operation === 'file')
  expect(files.map(({ path }) => path)).toEqual([expect.stringContaining(`/deck-${id}-1-1-2`)])
})
