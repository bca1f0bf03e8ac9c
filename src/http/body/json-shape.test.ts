// The shape of JSON, found from its bytes: the same however they are cut into pieces.

import { expect, test } from 'vitest'
import { createShapeCheck, hasPrototypeKeys } from './json-shape.ts'

const bounds = { depth: 3, members: 4 }

/** What is said of the text, read in pieces of every length; the same of all. */
function found(text: string): { path: string; message: string } | undefined {
  const bytes = Buffer.from(text)
  const said = new Set<string>()
  for (const length of [1, 2, 3, 5, Math.max(1, bytes.length)]) {
    const look = createShapeCheck(bounds)
    let wrong: ReturnType<typeof look>
    for (let at = 0; at < bytes.length && !wrong; at += length)
      wrong = look(bytes.subarray(at, at + length))
    said.add(JSON.stringify(wrong ?? null))
  }
  expect(said.size, text).toBe(1)
  return JSON.parse([...said][0] ?? 'null') ?? undefined
}

const complaint = (text: string) => found(text)?.message

test('the member is named that goes too deep or is too large, where it has a name', () => {
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
  for (const [text, path] of Object.entries(paths)) expect(found(text)?.path, text).toBe(path)
})

test('what is within the bounds passes', () => {
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
    expect(complaint(text), text).toBeUndefined()
})

test('what is deeper, or has more members, does not', () => {
  for (const text of ['[[[[', '[[[[]]]]', '{"a":[{"b":[', '[[[]],[[[', '"a"[[[['])
    expect(complaint(text), text).toMatch(/deep/)
  for (const text of ['[1,2,3,4,5,6]', ',,,,,', '{"a":1,"b":2,"c":3}', '[[],[],[],[],[],'])
    expect(complaint(text), text).toMatch(/members/)
})

test('what no JSON begins with is refused at its first byte, and what only a parser can tell is let pass', () => {
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
    expect(complaint(text), text).toBe('must be JSON')
  for (const text of ['\ufeff{}', 'true', '[1e+5,-0.5E-3]', 'null false', '\t\r\n', 'ä'])
    expect(complaint(text), text).toBeUndefined()
})

test('what stands in a string counts for nothing, whatever is escaped there', () => {
  for (const text of [
    '"[[[[[,,,,,"',
    '"\\"[[[[["',
    '"\\\\\\"[[[[["',
    '["\\\\",1]',
    '{"[[[[":"{{{{"}',
    '"ä\\u005b[[[["',
  ])
    expect(complaint(text), text).toBeUndefined()
  for (const text of ['"\\\\"[[[[', '"\\""[[[[', '["",[[['])
    expect(complaint(text), text).toMatch(/deep/)
})

test('keys that reach for a prototype are found at any depth, and honest ones are let be', () => {
  for (const text of [
    '{"__proto__":1}',
    '[{"a":{"\\u005f_proto__":{}}}]',
    '{"a":[1,{"constructor":{"prototype":1}}]}',
  ])
    expect(hasPrototypeKeys(JSON.parse(text)), text).toBe(true)
  for (const text of [
    'null',
    '1',
    '"__proto__"',
    '{"constructor":1}',
    '{"constructor":{"a":1}}',
    '{"prototype":{}}',
    '{"proto":"__proto__"}',
  ])
    expect(hasPrototypeKeys(JSON.parse(text)), text).toBe(false)
})
