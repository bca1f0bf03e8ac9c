import { expect, test } from 'vitest'
import { utf16 } from '../sandbox/documents.ts'
import { createTextCheck } from './text-check.ts'

/** The verdict on bytes that arrive `step` at a time. */
function check(bytes: Buffer, step: number) {
  const text = createTextCheck()
  for (let at = 0; at < bytes.length; at += step) text.add(bytes.subarray(at, at + step))
  return text.finish()
}

const steps = [1, 2, 3, 5, 1000]

test.for<[what: string, isText: boolean, bytes: Buffer]>([
  ['characters of every length', true, Buffer.from('aé漢😀'.repeat(20))],
  ['one letter', true, Buffer.from('a')],
  ['a marked text', true, Buffer.from('\ufeffaé')],
  ['UTF-16, little-endian', true, utf16('aé漢😀')],
  ['UTF-16, big-endian', true, utf16('aé漢😀', { isBigEndian: true })],
  ['a character that is cut off', false, Buffer.from('aé漢😀').subarray(0, -1)],
  ['a lonely byte', false, Buffer.from([0x61, 0xe9, 0x61])],
  ['an encoded surrogate', false, Buffer.from([0xed, 0xa0, 0x80, 0x61])],
  ['an invalid byte after a mark', false, Buffer.from([0xef, 0xbb, 0xbf, 0xff])],
  ['UTF-16 with half a surrogate pair', false, Buffer.from('fffe00d86100', 'hex')],
  ['UTF-16 with an odd length', false, Buffer.from('fffe610062', 'hex')],
])('%s, in pieces of any size', ([, isText, bytes]) => {
  for (const step of steps) expect(check(bytes, step).isText, `in steps of ${step}`).toBe(isText)
})

test('finds byte order marks and control characters', () => {
  expect(check(Buffer.from('a\tb\r\n\f'), 5)).toEqual({
    isText: true,
    hasMark: false,
    hasControls: false,
  })
  for (const step of steps) expect(check(Buffer.from('GIF89a\x01\0'), step).hasControls).toBe(true)
  expect(check(utf16('a'), 1).hasMark).toBe(true)
})
