// Differences between Presenton versions that the gateway hides: templates, files, file names, and
// an upgrade during a run.

import { mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readZip } from '../sandbox/presenton/content/zip.ts'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { readLog } from './event-log-rules.ts'
import { upstreamOptions } from './upstream-options.ts'
import { brief } from './user.ts'
import { openWorld, type WorldOptions } from './world.ts'

/** Opens a world that the end of the test closes. */
async function open(options: WorldOptions) {
  const world = await openWorld(options)
  onTestFinished(async () => {
    await world.expectNoLeaks()
    await world.close()
  })
  return world
}

const manyRuns = {
  MAX_RUNNING: '16',
  MAX_RUNNING_PER_USER: '16',
  MAX_QUEUED: '400',
  MAX_QUEUED_PER_USER: '400',
}

test.each<Shape>([...shapes])(
  'in shape %s the template list is cached, and an unknown template costs no paid call',
  async (shape) => {
    const world = await open({ ...upstreamOptions(shape) })
    const user = await world.createUser()
    const unknown = await user.submit({ ...brief, template: 'no-such-template' })
    expect(await user.waitUntilSettled(unknown.id)).toMatchObject({
      status: 'failed',
      error: { code: 'UPSTREAM_REJECTED', retryable: false },
    })
    expect(world.presenton.spend).toEqual({ outlines: 0, prepares: 0, slideStreams: 0, exports: 0 })
    expect(world.presenton.decks.size).toBe(0)

    const countLists = () =>
      world.presenton.journal.filter(({ operation }) => operation === 'templates').length
    const [first] = await Promise.all(Array.from({ length: 5 }, () => user.api('/templates')))
    const countBefore = countLists()
    expect(await user.api('/templates')).toMatchObject({ status: 200, body: first?.body })
    expect(countLists()).toBe(countBefore)
    // The cached list is used during an outage of upstream.
    await world.presenton.faults.down()
    expect(await user.api('/templates')).toMatchObject({ status: 200, body: first?.body })
    expect(await user.post({ ...brief, template: 'no-such-template' })).toMatchObject({
      status: 400,
    })
    await world.presenton.faults.up()
  },
)

test('concurrent runs fetch a template layout once, since upstream starts a browser for it', async () => {
  const world = await open({ shape: 'A1', env: manyRuns })
  const user = await world.createUser()
  const accepted = await Promise.all(Array.from({ length: 6 }, () => user.submit()))
  for (const { id } of accepted)
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  expect(world.presenton.journal.filter(({ operation }) => operation === 'template')).toHaveLength(
    1,
  )
})

test('200 concurrent decks with one title get their own files where upstream names files by title', async () => {
  const world = await open({ shape: 'A1', env: { ...manyRuns, LOG_LEVEL: 'error' } })
  const user = await world.createUser()
  const made = await Promise.all(
    Array.from({ length: 200 }, async (_, number) => {
      const { id } = await user.submit({
        title: 'Same',
        outlines: [`# Same\n\n- Mark ${number} of many`],
      })
      return { id, mark: `Mark ${number} of many` }
    }),
  )
  for (const { id, mark } of made) {
    expect(await user.api(`/presentations/${id}?wait=60`)).toMatchObject({
      body: { status: 'completed' },
    })
    const { body } = await user.api(`/presentations/${id}/download`, {
      headers: { accept: 'application/json' },
    })
    expect(body.file_name).toBe('Same.pptx')
    const bytes = Buffer.from(await (await fetch(body.url)).arrayBuffer())
    const texts = [...(await readZip(bytes)).values()].map(String)
    expect(texts.some((text) => text.includes(mark))).toBe(true)
  }
  const paths = [...world.presenton.decks.values()].flatMap((deck) =>
    deck.exports.map(({ path }) => path),
  )
  expect(new Set(paths).size).toBe(200)
  // Alone it takes half a minute; on a busy machine four times as long.
}, 400_000)

test.each<Shape>(['A1', 'B2'])(
  'in shape %s files are read from the mounted directory',
  async (shape) => {
    const world = await open({ ...upstreamOptions(shape), replicas: 0 })
    await world.openReplica({ PRESENTON_APP_DATA_DIR: world.presenton.appDataDir })
    const made = await (await world.createUser()).generate()
    expect(made.files).toMatchObject([{ format: 'pptx' }])
    expect(world.presenton.journal.filter(({ operation }) => operation === 'file')).toEqual([])
  },
)

test('does not follow a symlink out of the mounted directory, even to a valid deck', async () => {
  const world = await open({ shape: 'A1', replicas: 0 })
  const { presenton } = world
  await world.openReplica({ PRESENTON_APP_DATA_DIR: presenton.appDataDir })
  const outside = await mkdtemp(join(tmpdir(), 'outside-'))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  const bait = join(outside, 'deck.pptx')
  const user = await world.createUser()
  presenton.gates.hold('export:reply')
  const { id } = await user.submit()
  await presenton.gates.arrived('export:reply')
  const { file } = [...presenton.decks.values()].at(-1)!.exports[0]!
  await rename(file, bait)
  await symlink(bait, file)
  const before = await readFile(bait)
  presenton.gates.releaseAll()
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.stages.slice(-4)).toEqual(['export', 'store', 'export', 'store'])
  expect(log.terminal.type).toBe('complete')
  expect((await readFile(bait)).equals(before)).toBe(true)
})

test.each<[Shape, Shape]>([
  ['A1', 'B1'],
  ['A1', 'B2'],
  ['B1', 'B2'],
])('an upgrade from %s to %s during a run does not fail it', async (before, after) => {
  const world = await open({ shape: before })
  const { gates, setShape } = world.presenton
  const user = await world.createUser()
  gates.hold('outlines:complete')
  const { id } = await user.submit()
  await gates.arrived('outlines:complete')
  setShape(after)
  gates.releaseAll()
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', error: null })
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
  await user.generate()
})
