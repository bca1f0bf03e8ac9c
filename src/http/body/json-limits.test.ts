import { expect, test } from 'vitest'
import { createJsonCheck } from './json-limits.ts'

const limits = { depth: 3, members: 4 }

/** The error of the text, which must be the same for chunks of any length. */
function errorOf(text: string): { path: string; message: string } | undefined {
  const bytes = Buffer.from(text)
  const errors = new Set<string>()
  for (const length of [1, 2, 3, 5, Math.max(1, bytes.length)]) {
    const check = createJsonCheck(limits)
    let error: ReturnType<typeof check>
    for (let start = 0; start < bytes.length && !error; start += length)
      error = check(bytes.subarray(start, start + length))
    errors.add(JSON.stringify(error ?? null))
  }
  expect(errors.size, text).toBe(1)
  return JSON.parse([...errors][0] ?? 'null') ?? undefined
}

const messageOf = (text: string) => errorOf(text)?.message

test('names the member that is nested too deep or too wide, unless its key is too long', () => {
  const paths = {
    '{"content":[[[': '/content',
    '{"a":"b","c d":{"e":{"f":{"g":1': '/c d',
    '{"a":[1],"out\\"li\\u006ees":[1,2,3,4': '/out"lines',
    '{"a/b~c":[[[': '/a~1b~0c',
    '{"ä":[[[': '/ä',
    [`{"${'x'.repeat(64)}":[[[`]: `/${'x'.repeat(64)}`,
    [`{"${'x'.repeat(65)}":[[[`]: '',
    '{"a":1,"b":2,"c":3}': '',
    '["x",[[[[': '',
    '[[[[': '',
    '{"\\x":[[[': '',
  }
  for (const [text, path] of Object.entries(paths)) expect(errorOf(text)?.path, text).toBe(path)
})

test('accepts JSON within the limits', () => {
  for (const text of [
    '',
    '1',
    '"x"',
    '[[[1]]]',
    '{"a":{"b":[]}}',
    '[1,2,3,4,5]',
    '[[],[],[],[]]',
    '[[[]],[[]]]',
    '[',
    '}}}}',
    '"x',
  ])
    expect(messageOf(text), text).toBeUndefined()
})

test('rejects JSON that is deeper or has more members', () => {
  for (const text of ['[[[[', '[[[[]]]]', '{"a":[{"b":[', '[[[]],[[[', '"a"[[[['])
    expect(messageOf(text), text).toMatch(/deep/)
  for (const text of ['[1,2,3,4,5,6]', ',,,,,', '{"a":1,"b":2,"c":3}', '[[],[],[],[],[],'])
    expect(messageOf(text), text).toMatch(/members/)
})

test('rejects a byte that no JSON can contain, and leaves other errors to the parser', () => {
  for (const text of [
    'x',
    ' x',
    '{"a":\u0000',
    '<html>',
    "{'a'",
    'content',
    '{"a":1}/',
    '[NaN',
    '\\"',
  ])
    expect(messageOf(text), text).toBe('must be JSON')
  for (const text of ['\ufeff{}', 'true', '[1e+5,-0.5E-3]', 'null false', '\t\r\n', 'ä'])
    expect(messageOf(text), text).toBeUndefined()
})

test('ignores the content of strings, with any escapes', () => {
  for (const text of [
    '"[[[[[,,,,,"',
    '"\\"[[[[["',
    '"\\\\\\"[[[[["',
    '["\\\\",1]',
    '{"[[[[":"{{{{"}',
    '"ä\\u005b[[[["',
  ])
    expect(messageOf(text), text).toBeUndefined()
  for (const text of ['"\\\\"[[[[', '"\\""[[[[', '["",[[['])
    expect(messageOf(text), text).toMatch(/deep/)
})
