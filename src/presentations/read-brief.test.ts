// The rules of a brief that need more than one field, its defaults, and what counts as text.

import { expect, test } from 'vitest'
import { type BriefBody, createBriefSchema, outlinesSchema, textSchema } from '../contract/brief.ts'
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

test('a brief of content alone gets every default', () => {
  expect(read({ content: 'What we said.' })).toEqual({
    content: 'What we said.',
    outlines: null,
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

test('what is given replaces the defaults', () => {
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

test('where fewer than eight slides are allowed, the default is as many as are', () => {
  expect(read({ content: 'x' }, 5).nSlides).toBe(5)
})

test('the number of outlines is the number of slides', () => {
  expect(read({ outlines: ['a', 'b', 'c'] }).nSlides).toBe(3)
  expect(read({ outlines: ['a', 'b', 'c'], n_slides: 3, content: 'x' }).nSlides).toBe(3)
})

test('a number of slides that differs from the number of outlines is refused where it was given', () => {
  expect(pathsOf(() => read({ outlines: ['a', 'b'], n_slides: 3 }))).toEqual(['/n_slides'])
})

test('a brief needs content or outlines', () => {
  expect(pathsOf(() => read({}))).toEqual(['/content'])
})

test('a table of contents needs three slides, also when their number comes from the outlines or the default', () => {
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

test('text that says nothing is refused where upstream needs text, each place by its pointer', () => {
  const blank = ' \t\n\u00a0\u200b\ufeff'
  const body = { content: blank, outlines: ['a', blank], language: blank, template: blank }
  expect(pathsOf(() => read(body))).toEqual(['/content', '/language', '/template', '/outlines/1'])
})

test('a blank title and blank instructions count as not given', () => {
  expect(read({ content: 'x', title: ' ', instructions: '' })).toMatchObject({
    title: null,
    instructions: null,
  })
})

test('text is what a reader can see', () => {
  expect(['a', '.', '😀', ' ö '].map(hasText)).toEqual([true, true, true, true])
  expect(['', ' ', '\u200d', '\u2060\n'].map(hasText)).toEqual([false, false, false, false])
})

test('the pattern of a text lets through everything but controls and lone surrogates', () => {
  const pattern = new RegExp(String(Reflect.get(textSchema(10), 'pattern')), 'u')
  for (const fine of ['', 'a\tb\r\nc', 'naïve', '😀', '\u2028', '\ufeff', '\ue000'])
    expect(pattern.test(fine), fine).toBe(true)
  const controls = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).filter(
    (char) => /[^\t\n\r\P{Cc}]/u.test(char),
  )
  expect(controls).toHaveLength(65 - 3)
  for (const bad of [...controls, '\ud800', '\udfff', 'a\udc00\ud800b'])
    expect(pattern.test(`x${bad}`), escape(bad)).toBe(false)
})

test('the schema names every field and no other, and carries the limits it was made with', () => {
  const schema = createBriefSchema({ maxSlides: 12, maxContentChars: 345 })
  expect(schema).toMatchObject({ additionalProperties: false })
  expect(schema.properties.content).toMatchObject({ maxLength: 345 })
  expect(schema.properties.n_slides).toMatchObject({ minimum: 1, maximum: 12 })
  expect(schema.properties.outlines).toMatchObject({ minItems: 1, maxItems: 12 })
  expect(outlinesSchema(3, '').items).toMatchObject({ minLength: 1, maxLength: 10_000 })
})
