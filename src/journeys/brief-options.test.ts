// Options of a brief: given outlines, title, language and other settings. Also `?wait` and the list
// of templates.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { readLog } from './event-log-rules.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

const outlines = [
  '# Why we met\n\n- The invoices',
  '# What we found\n\n- Half of all questions\n- Nine hours',
  '# What we do\n\n- Better invoices',
]

let world: World
let user: User
beforeAll(async () => {
  world = await openWorld({ shape: 'A1' })
  user = await world.createUser()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

function deckOf({ presenton_presentation_id: deckId }: Record<string, unknown>) {
  return {
    deck: world.presenton.decks.get(deckId as string)!,
    spend: world.presenton.spendOf(deckId as string),
  }
}

test('uses given outlines unchanged, and pays for none', async () => {
  const { id, n_slides } = await user.submit({ outlines, title: 'Invoices' })
  expect(n_slides).toBe(3)
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.stages).toEqual(['create', 'prepare', 'slides', 'export', 'store'])
  expect(log.outlines).toMatchObject({ outlines, title: 'Invoices' })
  expect(log.kinds).not.toContain('outline_chunk')
  expect(log.slides).toHaveLength(3)
  const { deck, spend } = deckOf(await user.read(id))
  expect(deck.outlines).toEqual(outlines.map((content) => ({ content })))
  expect(spend).toEqual({ outlines: 0, prepares: 1, slideStreams: 1, exports: 1 })
})

test('accepts content beside outlines, and requires n_slides to match their number', async () => {
  const presentation = await user.generate({
    content: brief.content,
    outlines: outlines.slice(0, 2),
    n_slides: 2,
  })
  expect(presentation).toMatchObject({ n_slides: 2, slides_done: 2 })
  expect(deckOf(presentation).deck.content).toBe(brief.content)
  const mismatch = await user.post({ outlines, n_slides: 8 })
  expect(mismatch).toMatchObject({ status: 400, body: { errors: [{ path: '/n_slides' }] } })
})

test("without a given title the row, the events and the file name use upstream's title", async () => {
  const { id, title } = await user.submit()
  expect(title).toBeNull()
  const log = readLog(await (await user.subscribe(id)).rest())
  const done = await user.read(id)
  expect(done.title).toEqual(expect.stringMatching(/\S/))
  // Upstream derives the title from the start of the first outline.
  const beginning = log.outlines?.outlines[0]?.replace(/[#\s]+/g, ' ').trim()
  expect(beginning?.startsWith(String(done.title))).toBe(true)
  expect(log.outlines?.title).toBe(done.title)
  expect(log.terminal.presentation.title).toBe(done.title)
  expect(log.terminal.download.file_name).toMatch(/\.pptx$/)
})

test('keeps a given title, by which upstream names no file of ours', async () => {
  const title = `„Größe“ 数 🚀 ${'x'.repeat(180)}`
  const { id } = await user.submit({ ...brief, title })
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.terminal.presentation.title).toBe(title)
  const done = await user.read(id)
  expect(done.title).toBe(title)
  const [file] = deckOf(done).deck.exports
  expect(file?.path).toMatch(/^\/app_data\/exports\/[\x21-\x7e]{1,100}\.pptx$/)
})

test('sends every option of the brief to upstream', async () => {
  const options = {
    content: brief.content,
    n_slides: 5,
    language: 'Deutsch',
    tone: 'funny',
    verbosity: 'concise',
    instructions: 'No jargon.',
    include_title_slide: false,
    include_table_of_contents: true,
    web_search: true,
  }
  const presentation = await user.generate({ ...options, template: 'modern' })
  expect(presentation).toMatchObject({
    n_slides: 5,
    language: 'Deutsch',
    template: 'modern',
    slides_done: 5,
  })
  expect(deckOf(presentation).deck).toMatchObject(options)
})

test('keeps every character but control characters from the content to the slides', async () => {
  const content =
    'Größe zählt. 数据很重要。 مرحبا بالعالم. Emoji: 👩‍👩‍👧‍👦 and 🇩🇪. Quotes " \\ </script> %41 \u2028 {{x}}.\tTab.\r\nLine two of it.'
  const { id } = await user.submit({ content, n_slides: 2, metadata: { 'ключ "1"': '值\n2' } })
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(JSON.stringify(log.slides)).toContain('数据很重要')
  const done = await user.read(id)
  expect(deckOf(done).deck.content).toBe(content)
  expect(done.metadata).toEqual({ 'ключ "1"': '值\n2' })
})

test('GET with `wait` returns when the run has ended, or the current state after the given seconds', async () => {
  const { gates } = world.presenton
  gates.hold('prepare')
  const { id } = await user.submit()
  const startedMs = performance.now()
  const { body } = await user.api(`/presentations/${id}?wait=1`)
  expect(body).toMatchObject({ status: 'running', queue_position: null })
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(990)
  const waiting = user.api(`/presentations/${id}?wait=60`)
  await gates.arrived('prepare')
  gates.release('prepare')
  expect((await waiting).body).toMatchObject({ status: 'completed' })
  // After the end of the run it returns at once.
  const endedMs = performance.now()
  expect((await user.api(`/presentations/${id}?wait=60`)).body).toMatchObject({
    status: 'completed',
  })
  expect(performance.now() - endedMs).toBeLessThan(30_000)

  for (const invalid of ['0', '61', '-1', '1.5', 'x', '']) {
    const refused = await user.api(`/presentations/${id}?wait=${invalid}`)
    expect({ invalid, ...refused }).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: 'wait' }] },
    })
  }
})

test('lists the templates in the same shape for every version of upstream', async () => {
  const replica = await world.openReplica()
  for (const shape of ['A1', 'T', 'B1', 'B2'] as const) {
    world.presenton.setShape(shape)
    const fresh = await world.openReplica()
    const { status, body } = await user.api('/templates', { baseUrl: fresh.url })
    expect({ shape, status }).toEqual({ shape, status: 200 })
    expect(body.map(({ id }: { id: string }) => id)).toContain('general')
    for (const template of body) {
      const text = expect.any(String)
      expect(template).toEqual({
        id: text,
        name: text,
        description: text,
        layout_count: expect.any(Number),
      })
    }
    await world.closeReplica(fresh)
  }
  world.presenton.setShape('A1')
  await world.closeReplica(replica)
})
