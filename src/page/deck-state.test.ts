// What a deck's events add up to on the page.

import { describe, expect, test } from 'vitest'
import type { PresentationEvent } from '../client/client.ts'
import { addEvents, emptyDeck, readOutline, readOutlinesSoFar } from './deck-state.ts'

/** Events as they come, numbered from 1. */
const stateOf = (...events: object[]) =>
  addEvents(
    emptyDeck,
    events.map((event, index) => ({ ...event, id: index + 1 }) as PresentationEvent),
  )
const slide = (index: number, title: string) => ({
  type: 'chunk',
  slide_index: index,
  chunk: JSON.stringify({ content: { title } }),
})
const titles = ({ slides }: ReturnType<typeof stateOf>) =>
  slides.map((each) => (each?.content as { title: string } | undefined)?.title)

test('the cursor is the last number, and nothing given is changed', () => {
  const first = stateOf({ type: 'queued', position: 1 })
  expect(emptyDeck).toMatchObject({ cursor: 0, slides: [] })
  const second = addEvents(first, [{ ...slide(0, 'A'), id: 7 } as never])
  expect([first.cursor, second.cursor]).toEqual([1, 7])
  expect([first.slides, titles(second)]).toEqual([[], ['A']])
})

describe('slides', () => {
  test('come in any order, twice, and with commas between them', () => {
    const comma = { type: 'chunk', chunk: ',' }
    const state = stateOf(slide(2, 'C'), comma, slide(0, 'A'), comma, slide(0, 'A again'))
    expect(titles(state)).toEqual(['A again', undefined, 'C'])
  })

  test('are replaced by their form with images, and by an edit', () => {
    const state = stateOf(
      ...[slide(0, 'A'), slide(1, 'B')],
      { type: 'slide_assets', slide_index: 0, slide: { content: { title: 'A, with an image' } } },
      { type: 'slide_edited', index: 1, slide: { content: { title: 'B, edited' } } },
    )
    expect(titles(state)).toEqual(['A, with an image', 'B, edited'])
  })

  test.each([
    ['no index', { type: 'chunk', chunk: '{"content":{}}' }],
    ['a fraction', { ...slide(0, 'A'), slide_index: 0.5 }],
    ['a negative index', { ...slide(0, 'A'), slide_index: -1 }],
    ['an index beyond all decks', { ...slide(0, 'A'), slide_index: 201 }],
    ['text that is no JSON', { type: 'chunk', slide_index: 0, chunk: '{"content":' }],
    ['JSON that is no object', { type: 'chunk', slide_index: 0, chunk: '[1]' }],
    ['null', { type: 'chunk', slide_index: 0, chunk: 'null' }],
    ['assets without a slide', { type: 'slide_assets', slide_index: 0 }],
    ['a kind of a later release', { type: 'sparkles', slide_index: 0, slide: {} }],
  ])('ignore %s', (_name, event) => {
    expect(stateOf(event)).toMatchObject({ slides: [], cursor: 1 })
  })

  test('of a stage that starts again are discarded; those of an edit stay', () => {
    const stage = (name: string) => ({ type: 'stage', stage: name, attempt: 1, progress: 0 })
    expect(titles(stateOf(stage('slides'), slide(0, 'A'), stage('slides')))).toEqual([])
    expect(titles(stateOf(stage('slides'), slide(0, 'A'), stage('edit')))).toEqual(['A'])
  })
})

test('the stage, what it waits for, and the review follow the events', () => {
  const status = 'Presenton is restarting.'
  const waiting = { type: 'status', status, code: 'UPSTREAM_UNAVAILABLE', retry_in_seconds: 5 }
  const stage = { type: 'stage', stage: 'prepare', attempt: 2, progress: 0.3 }
  const review = { type: 'awaiting_outlines', expires_at: '2026-01-01T00:00:00Z' }
  expect(stateOf(review)).toMatchObject({ reviewUntil: '2026-01-01T00:00:00Z' })
  expect(stateOf(review, stage).reviewUntil).toBeUndefined()
  expect(stateOf(stage, waiting)).toMatchObject({ stage: 'prepare', notice: waiting.status })
  expect(stateOf(waiting, stage)).toMatchObject({ notice: '' })
  expect(stateOf(stage, waiting, { type: 'queued' })).toMatchObject({
    stage: undefined,
    notice: '',
  })
  expect(stateOf({ ...waiting, status: 42 })).toMatchObject({ notice: '' })
  expect(stateOf({ type: 'status', status: 'Drafting' })).toMatchObject({ notice: '' })
})

test('outlines replace the text that they were written as', () => {
  const chunk = (text: string) => ({ type: 'outline_chunk', chunk: text })
  const writing = stateOf(chunk('{"slides":[{"content":"# A'), chunk('bc'))
  expect(readOutlinesSoFar(writing.outlineText)).toEqual(['# Abc'])
  const written = stateOf(chunk('{'), { type: 'outlines', outlines: ['# Abc'], title: 'T' })
  expect(written).toMatchObject({ outlines: ['# Abc'], title: 'T', outlineText: '' })
  const again = stateOf(chunk('{'), { type: 'stage', stage: 'outlines', attempt: 2 }, chunk('['))
  expect(again.outlineText).toBe('[')
})

test.each([
  ['', []],
  ['{"slides":[{"conte', []],
  ['{"slides":[{"content":"', ['']],
  ['{"slides":[{"content":"One"},{"content":"T', ['One', 'T']],
  ['{"slides":[{"content":"a \\"b\\" \\u00e4\\n c"}', ['a "b" ä\n c']],
  ['{"slides":[{"content":"broken \\u00', ['broken \\u00']],
  ['{"slides":[{"content":"broken \\', ['broken ']],
])('reads the outlines so far of %s', (text, outlines) => {
  expect(readOutlinesSoFar(text)).toEqual(outlines)
})

test.each([
  ['# Title\n\n- **one**\n2) two', { title: 'Title', lines: ['one', 'two'] }],
  ['Only a title', { title: 'Only a title', lines: [] }],
  ['\n\n', { title: '', lines: [] }],
  // As they are written.
  ['#', { title: '', lines: [] }],
  ['# One\n-', { title: 'One', lines: [] }],
  ['## <b>x</b>\n* y', { title: '<b>x</b>', lines: ['y'] }],
])('an outline is Markdown: %j', (text, parts) => {
  expect(readOutline(text)).toEqual(parts)
})
