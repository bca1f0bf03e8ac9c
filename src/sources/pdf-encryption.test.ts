import { deflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { pdf } from '../sandbox/documents.ts'
import { isEncryptedPdf } from './pdf-encryption.ts'

const check = (text: string | Buffer) => {
  const bytes = Buffer.from(text as string, 'latin1')
  return isEncryptedPdf({
    sizeBytes: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  })
}

/** A file with one section at its end, whose place is right. */
function withTable(trailer: string, { before = '', startxref = -1 } = {}) {
  const body = `%PDF-1.4\n${before}`
  const table = 'xref\n0 2\n0000000000 65535 f \n0000000009 00000 n \n'
  const at = startxref === -1 ? body.length : startxref
  return `${body}${table}trailer\n${trailer}\nstartxref\n${at}\n%%EOF`
}

const stream = (dictionary: string) => {
  const body = '%PDF-1.5\n'
  const object = `7 0 obj\n<< /Type /XRef ${dictionary} /Length 8 >>\nstream\n${deflateSync('x')}\nendstream endobj\n`
  return `${body}${object}startxref\n${body.length}\n%%EOF`
}

test.for<[what: string, isEncrypted: boolean, file: string]>([
  ['a plain trailer', false, withTable('<< /Size 2 /Root 1 0 R >>')],
  ['a trailer with an entry', true, withTable('<< /Size 2 /Encrypt 5 0 R /Root 1 0 R >>')],
  ['an entry in an escaped name', true, withTable('<< /Encr#79pt 5 0 R >>')],
  ['a direct dictionary', true, withTable('<< /Encrypt << /Filter /Standard >> >>')],
  ['null, which means no entry', false, withTable('<< /Encrypt null >>')],
  ['the word as a value', false, withTable('<< /Note /Encrypt /Root 1 0 R >>')],
  ['the word in a string', false, withTable('<< /Note (\\) /Encrypt 5 0 R) /Root 1 0 R >>')],
  ['the word in a nested dictionary', false, withTable('<< /Info << /Encrypt 1 0 R >> >>')],
  ['the word in a comment', false, withTable('<< % /Encrypt 5 0 R\n/Root 1 0 R >>')],
  ['the word in an array', false, withTable('<< /ID [/Encrypt 5] /Root 1 0 R >>')],
  [
    'the word in text',
    false,
    withTable('<< /Root 1 0 R >>', { before: '(trailer << /Encrypt 1 0 R >>)\n' }),
  ],
  ['a cross-reference stream', false, stream('/Root 1 0 R')],
  ['an encrypted cross-reference stream', true, stream('/Root 1 0 R /Encrypt 5 0 R')],
  [
    'wrong links and an encrypted trailer',
    true,
    withTable('<< /Encrypt 5 0 R >>', { startxref: 3 }),
  ],
  ['wrong links and a plain trailer', false, withTable('<< /Root 1 0 R >>', { startxref: 3 })],
  ['no links at all', false, '%PDF-1.4 and some text about /Encrypt'],
])('%s', async ([, isEncrypted, file]) => {
  expect(await check(file)).toBe(isEncrypted)
})

test('finds an entry in an earlier update, and ends at a link to itself', async () => {
  const first = withTable('<< /Encrypt 5 0 R /Size 2 >>')
  const at = first.indexOf('xref\n')
  const update = `xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 2 /Prev ${at} >>\nstartxref\n${first.length + 1}\n%%EOF`
  expect(await check(`${first}\n${update}`)).toBe(true)
  const plain = first.replace('/Encrypt 5 0 R', '')
  const loop = `xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Prev ${plain.length + 1} >>\nstartxref\n${plain.length + 1}\n%%EOF`
  expect(await check(`${plain}\n${loop}`)).toBe(false)
})

test('recognises PDF files of a library, plain and encrypted in two versions', async () => {
  expect(await check((await pdf()).toString('latin1'))).toBe(false)
  expect(await check((await pdf({ password: 'x' })).toString('latin1'))).toBe(true)
  const later = await pdf({ password: 'x', version: '1.7ext3' })
  expect(await check(later.toString('latin1'))).toBe(true)
})
