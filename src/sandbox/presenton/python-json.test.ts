import { describe, expect, it } from 'vitest'
import { compactJson, spacedJson } from './python-json.ts'

describe('JSON as Python writes it', () => {
  it('puts a blank after comma and colon in events, none in replies', () => {
    const value = { type: 'chunk', list: [1, null, true], nested: { empty: [], none: {} } }
    expect(spacedJson(value)).toBe(
      '{"type": "chunk", "list": [1, null, true], "nested": {"empty": [], "none": {}}}',
    )
    expect(compactJson(value)).toBe(
      '{"type":"chunk","list":[1,null,true],"nested":{"empty":[],"none":{}}}',
    )
  })

  it('escapes what is not ASCII in events, unit by unit, and leaves it raw in replies', () => {
    expect(spacedJson('é 日 😀 \n "')).toBe('"\\u00e9 \\u65e5 \\ud83d\\ude00 \\n \\""')
    expect(compactJson('é 日 😀 \n "')).toBe('"é 日 😀 \\n \\""')
  })

  it('writes the measures inside ui as floats and leaves counts alone', () => {
    const ui = { position: { x: 0, y: 12.3 }, corner_radii: [16], max_length: 25 }
    expect(compactJson({ ui, size: 3 })).toBe(
      '{"ui":{"position":{"x":0.0,"y":12.3},"corner_radii":[16.0],"max_length":25},"size":3}',
    )
  })

  it('leaves members out that are not there', () => {
    expect(compactJson({ a: undefined, b: null })).toBe('{"b":null}')
  })
})
