// Decks made from documents: what a brief may name, what Presenton gets, and restarts in between.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { officeOpenXml, pdf, utf16 } from '../sandbox/documents.ts'
import { type Shape, shapes } from '../sandbox/presenton/stand-in.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { type UploadedFile, upload } from './uploads.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
const timing = { sleep: async () => undefined }

async function open(shape: Shape) {
  world = await openWorld({ shape, timing })
  user = await world.createUser()
}
afterEach(async () => {
  await world.expectNoLeaks()
  await world.close()
})

async function uploadAll(...files: UploadedFile[]): Promise<string[]> {
  const { status, body } = await upload(user, world.url, files)
  expect({ status, body }).toMatchObject({ status: 201 })
  return body.items.map(({ id }: { id: string }) => id)
}

const notes = { name: 'Größe.txt', content: 'The ferry runs until May. The port pays for it.' }
const decks = () => [...world.presenton.decks.values()]
const uploadsTo = () => world.presenton.journal.filter(({ operation }) => operation === 'upload')

describe.each(shapes)('in shape %s', (shape) => {
  beforeEach(() => open(shape))

  test('a deck is made from documents alone, each sent in a request of its own', async () => {
    const table = { name: 'table.txt', content: utf16('Bridges were repaired in June.') }
    const text = 'The harbour has twelve cranes.'
    const office = { name: 'a.docx', content: await officeOpenXml('docx', { text }) }
    const sources = await uploadAll(notes, table, office, { name: 'b', content: await pdf() })
    const { id } = await user.submit({ sources, n_slides: 4 })
    const done = await user.waitUntilSettled(id)
    expect(done).toMatchObject({ status: 'completed', error: null })
    expect(done.sources).toEqual([
      { id: sources[0], name: 'Größe.txt' },
      { id: sources[1], name: 'table.txt' },
      { id: sources[2], name: 'a.docx' },
      { id: sources[3], name: 'b' },
    ])
    const [deck] = decks()
    expect(deck?.content).toBe('')
    expect(deck?.file_paths?.map((path) => path.replace(/.*\//, ''))).toEqual([
      'source.txt',
      'source.txt',
      'source.docx',
      'source.pdf',
    ])
    const outlines = JSON.stringify(deck?.outlines)
    for (const word of ['ferry', 'June', 'cranes']) expect(outlines).toContain(word)
    expect(uploadsTo()).toHaveLength(4)
    const logs = world.gateways.flatMap((gateway) => gateway.logs).join('\n')
    expect(logs + JSON.stringify(done)).not.toContain('/tmp/presenton')
  })

  test('a restart between upload and outlines leads to fresh uploads, one deck, paid once', async () => {
    const sources = await uploadAll(notes)
    world.presenton.gates.hold('outlines')
    const { id } = await user.submit({ sources, n_slides: 3 })
    await waitFor(() => expect(decks()).toHaveLength(1))
    await world.presenton.restart()
    world.presenton.gates.releaseAll()
    const done = await user.waitUntilSettled(id)
    expect(done).toMatchObject({ status: 'completed', run: 1 })
    expect(uploadsTo()).toHaveLength(2)
    expect(world.presenton.spend).toMatchObject({ outlines: 1, slideStreams: 1 })
    const finished = decks().filter(({ slides }) => slides.length > 0)
    expect(finished.map((deck) => deck.id)).toEqual([done.presenton_presentation_id])
  })
})

test('files that vanish before the deck is created are uploaded again', async () => {
  await open('B1')
  const sources = await uploadAll(notes)
  world.presenton.gates.hold('create')
  const { id } = await user.submit({ sources, n_slides: 3 })
  // The call that creates the deck waits, so the upload before it is whole.
  await world.presenton.gates.arrived('create', 1)
  expect(uploadsTo()).toHaveLength(1)
  world.presenton.wipeUploads()
  world.presenton.gates.releaseAll()
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  expect(uploadsTo()).toHaveLength(2)
  expect(decks()).toHaveLength(1)
})

describe('what a brief may name', () => {
  beforeEach(() => open('B1'))

  test('refuses sources of others, unknown, deleted and repeated ones, and outlines beside them', async () => {
    const [first = '', second = ''] = await uploadAll(notes, notes)
    const other = await world.createUser()
    const foreign = (await upload(other, world.url, [notes])).body.items[0].id
    for (const path of [`/sources/${foreign}`, `/sources/${foreign}/download`])
      expect(await user.api(path)).toMatchObject({ status: 404 })
    expect(await user.api(`/sources/${foreign}`, { method: 'DELETE' })).toMatchObject({
      status: 404,
    })
    expect(await user.api(`/sources/${second}`, { method: 'DELETE' })).toMatchObject({
      status: 204,
    })
    const unknown = '7b0c5b0e-5f0a-4c7e-9a53-6a6f1f0a1b2c'
    for (const bad of [foreign, second, unknown, first, first.toUpperCase(), 'x']) {
      expect(await user.post({ sources: [first, bad] })).toMatchObject({
        status: 400,
        body: { code: 'VALIDATION_FAILED', errors: [{ path: '/sources/1' }] },
      })
    }
    expect(await user.post({ sources: [first], outlines: ['# One'] })).toMatchObject({
      status: 400,
      body: { errors: [{ path: '/sources' }] },
    })
    const eleven = Array.from({ length: 11 }, () => crypto.randomUUID())
    expect(await user.post({ sources: eleven })).toMatchObject({
      status: 400,
      body: { errors: [{ path: '/sources' }] },
    })
    expect(await user.post({ sources: [] })).toMatchObject({
      status: 400,
      body: { errors: [{ path: '/content' }] },
    })
  })

  test('a deleted source stays for the run and for a retry that need it', async () => {
    const [id = ''] = await uploadAll(notes)
    world.presenton.gates.hold('upload')
    const presentation = await user.submit({ sources: [id], n_slides: 3 })
    await waitFor(() => expect(uploadsTo()).toHaveLength(1))
    await user.api(`/presentations/${presentation.id}/cancel`, { method: 'POST' })
    expect(await user.api(`/sources/${id}`, { method: 'DELETE' })).toMatchObject({ status: 204 })
    expect((await user.api('/usage')).body).toMatchObject({
      sources: { used: 0 },
      sources_mib: { used: 0 },
    })
    world.presenton.gates.releaseAll()
    await user.api(`/presentations/${presentation.id}/retry`, { method: 'POST' })
    const done = await user.waitUntilSettled(presentation.id)
    expect(done).toMatchObject({ status: 'completed', sources: [{ id, name: 'Größe.txt' }] })
  })
})

test('a type that the version does not take is refused, at once while its features are known', async () => {
  await open('A1')
  const sources = await uploadAll({ name: 'a.md', content: '# Notes' })
  const early = await user.post({ sources })
  if (early.status === 202) {
    const failed = await user.waitUntilSettled(early.body.id)
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_REJECTED' } })
  }
  expect(world.presenton.spend).toMatchObject({ outlines: 0, slideStreams: 0 })
  await user.generate()
  expect(await user.post({ sources })).toMatchObject({
    status: 400,
    body: { errors: [{ path: '/sources/0', message: expect.stringContaining('text/markdown') }] },
  })
})
