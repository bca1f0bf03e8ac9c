// Rules of a brief that involve several fields, its defaults, and what counts as visible text.

import { expect, test } from 'vitest'
import { type BriefBody, createBriefSchema, outlinesSchema } from '../contract/brief.ts'
import { Problem } from '../domain/problem.ts'
import { hasText, readBrief } from './read-brief.ts'

const read = (body: BriefBody, maxSlides = 20) =>
  readBrief(body, { maxSlides }, { template: 'general' })

function pathsOf(work: () => unknown): string[] {
  try {
    work()
  } catch (error) {
    if (error instanceof Problem && error.code === 'VALIDATION_FAILED')
      return (error.errors ?? []).map(({ path }) => path)
    throw error
  }
  return []
}

test('a brief with only content gets every default', () => {
  expect(read({ content: 'What we said.' })).toEqual({
    content: 'What we said.',
    outlines: null,
    sources: [],
    nSlides: 8,
    language: 'English',
    template: 'general',
    tone: 'default',
    verbosity: 'standard',
    instructions: null,
    title: null,
    includeTitleSlide: true,
    includeTableOfContents: false,
    webSearch: false,
    exportAs: 'pptx',
    reviewOutlines: false,
    metadata: {},
  })
})

test('given values replace the defaults', () => {
  const brief = read({
    content: 'x',
    n_slides: 3,
    language: 'Deutsch',
    template: 'modern',
    tone: 'funny',
    verbosity: 'concise',
    instructions: 'Be brief.',
    title: 'A title',
    include_title_slide: false,
    include_table_of_contents: true,
    web_search: true,
    export_as: 'pdf',
    review_outlines: true,
    metadata: { ticket: '1' },
  })
  expect(brief).toMatchObject({
    nSlides: 3,
    language: 'Deutsch',
    template: 'modern',
    tone: 'funny',
    verbosity: 'concise',
  })
  expect(brief).toMatchObject({
    instructions: 'Be brief.',
    title: 'A title',
    includeTitleSlide: false,
    includeTableOfContents: true,
  })
  expect(brief).toMatchObject({
    webSearch: true,
    exportAs: 'pdf',
    reviewOutlines: true,
    metadata: { ticket: '1' },
  })
})

test('the default number of slides is at most MAX_SLIDES', () => {
  expect(read({ content: 'x' }, 5).nSlides).toBe(5)
})

test('the number of outlines sets the number of slides', () => {
  expect(read({ outlines: ['a', 'b', 'c'] }).nSlides).toBe(3)
  expect(read({ outlines: ['a', 'b', 'c'], n_slides: 3, content: 'x' }).nSlides).toBe(3)
})

test('refuses n_slides that differs from the number of outlines', () => {
  expect(pathsOf(() => read({ outlines: ['a', 'b'], n_slides: 3 }))).toEqual(['/n_slides'])
})

test('requires content or outlines', () => {
  expect(pathsOf(() => read({}))).toEqual(['/content'])
})

test('a table of contents requires three slides, however their number is set', () => {
  expect(
    pathsOf(() => read({ content: 'x', n_slides: 2, include_table_of_contents: true })),
  ).toEqual(['/include_table_of_contents'])
  expect(pathsOf(() => read({ outlines: ['a', 'b'], include_table_of_contents: true }))).toEqual([
    '/include_table_of_contents',
  ])
  expect(pathsOf(() => read({ content: 'x', include_table_of_contents: true }, 2))).toEqual([
    '/include_table_of_contents',
  ])
  expect(
    read({ content: 'x', n_slides: 3, include_table_of_contents: true }).includeTableOfContents,
  ).toBe(true)
})

test('refuses blank text in every field that upstream needs, by its JSON pointer', () => {
  const blank = ' \t\n\u00a0\u200b\ufeff'
  const body = { content: blank, outlines: ['a', blank], language: blank, template: blank }
  expect(pathsOf(() => read(body))).toEqual(['/content', '/language', '/template', '/outlines/1'])
})

test('treats a blank title and blank instructions as not given', () => {
  expect(read({ content: 'x', title: ' ', instructions: '' })).toMatchObject({
    title: null,
    instructions: null,
  })
})

test('text must contain a visible character', () => {
  expect(['a', '.', '😀', ' ö '].map(hasText)).toEqual([true, true, true, true])
  expect(['', ' ', '\u200d', '\u2060\n'].map(hasText)).toEqual([false, false, false, false])
})

test('the schema has the given limits and allows no other fields', () => {
  const schema = createBriefSchema({ maxSlides: 12, maxContentChars: 345 })
  expect(schema).toMatchObject({ additionalProperties: false })
  expect(schema.properties.content).toMatchObject({ maxLength: 345 })
  expect(schema.properties.n_slides).toMatchObject({ minimum: 1, maximum: 12 })
  expect(schema.properties.outlines).toMatchObject({ minItems: 1, maxItems: 12 })
  expect(outlinesSchema(3, '').items).toMatchObject({ minLength: 1, maxLength: 10_000 })
})
