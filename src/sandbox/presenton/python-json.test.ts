import { describe, expect, it } from 'vitest'
import { compactJson, spacedJson } from './python-json.ts'

describe('JSON as Python writes it', () => {
  it('writes a space after comma and colon in events, none in replies', () => {
    const value = { type: 'chunk', list: [1, null, true], nested: { empty: [], none: {} } }
    expect(spacedJson(value)).toBe(
      '{"type": "chunk", "list": [1, null, true], "nested": {"empty": [], "none": {}}}',
    )
    expect(compactJson(value)).toBe(
      '{"type":"chunk","list":[1,null,true],"nested":{"empty":[],"none":{}}}',
    )
  })

  it('escapes non-ASCII in events, by UTF-16 unit, and keeps it in replies', () => {
    expect(spacedJson('é 日 😀 \n "')).toBe('"\\u00e9 \\u65e5 \\ud83d\\ude00 \\n \\""')
    expect(compactJson('é 日 😀 \n "')).toBe('"é 日 😀 \\n \\""')
  })

  it('writes measures inside ui as floats, and counts as integers', () => {
    const ui = { position: { x: 0, y: 12.3 }, corner_radii: [16], max_length: 25 }
    expect(compactJson({ ui, size: 3 })).toBe(
      '{"ui":{"position":{"x":0.0,"y":12.3},"corner_radii":[16.0],"max_length":25},"size":3}',
    )
  })

  it('omits undefined members', () => {
    expect(compactJson({ a: undefined, b: null })).toBe('{"b":null}')
  })
})
