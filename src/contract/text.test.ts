// The patterns of texts: what they refuse, and that engines other than JavaScript's read them.

import { expect, test } from 'vitest'
import { hasText } from '../presentations/read-brief.ts'
import { textSchema } from './brief.ts'
import { cleanText, explainText, unicodeFormat, visibleText } from './text.ts'

const clean = new RegExp(cleanText, 'u')
const visible = new RegExp(visibleText, 'u')

/** All characters of the basic plane but surrogates. */
const characters = Array.from({ length: 0x1_0000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCharCode(code))
const isControl = (char: string) => /[^\t\n\r\P{Cc}]/u.test(char)

test('clean text refuses control characters but tab and line ends, and nothing else', () => {
  expect(characters.filter((char) => !clean.test(`x${char}`))).toEqual(characters.filter(isControl))
  expect(characters.filter(isControl)).toHaveLength(65 - 3)
  for (const valid of ['', 'a\tb\r\nc', 'naïve', '😀', '\u2028', '\ufeff', '\ue000'])
    expect(clean.test(valid), valid).toBe(true)
})

test('visible text has a character that is neither white space nor a format character', () => {
  const isVisible = (char: string) => !isControl(char) && hasText(char)
  expect(characters.filter((char) => visible.test(char))).toEqual(characters.filter(isVisible))
  for (const valid of [' a', 'a ', '\n😀\u200b', 'a\tb', '\u2066a\u2069'])
    expect(visible.test(valid), valid).toBe(true)
  for (const invalid of ['', ' ', '\u00a0 \n', '\u200b\ufeff', '\u0000', 'a\u0007', ' \u009f '])
    expect(visible.test(invalid), escape(invalid)).toBe(false)
})

test('the schema of a text has these patterns, and a format for lone surrogates', () => {
  expect(textSchema(10)).toMatchObject({ pattern: cleanText, format: unicodeFormat })
  expect(textSchema(10, { minLength: 1 })).toMatchObject({ pattern: visibleText })
})

test('explains a refused text', () => {
  expect(explainText(' \n')).toBe('must not be blank')
  expect(explainText('a\u0000')).toContain('control characters')
  expect(explainText(undefined)).toContain('lone surrogates')
})
