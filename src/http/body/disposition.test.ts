import { expect, test } from 'vitest'
import { parseDisposition } from './disposition.ts'

/** As a socket delivers it: one character for each byte. */
const bytes = (text: string) => Buffer.from(text).toString('latin1')

test.for<[header: string, name: string, fileName: string | undefined]>([
  ['form-data; name="files"; filename="a.txt"', 'files', 'a.txt'],
  ['form-data; name=files; filename=a.txt', 'files', 'a.txt'],
  ['form-data; name="files"; filename=""', 'files', ''],
  ['form-data; name="files"', 'files', undefined],
  [bytes('form-data; name="files"; filename="報告.txt"'), 'files', '報告.txt'],
  ['form-data; name="files"; filename="caf\xe9.txt"', 'files', 'café.txt'],
  [`form-data; name="files"; filename="x"; filename*=UTF-8''caf%C3%A9.txt`, 'files', 'café.txt'],
  [
    `form-data; name="files"; filename*=ISO-8859-1'en'caf%E9.txt; filename="x"`,
    'files',
    'café.txt',
  ],
  [`form-data; name="files"; filename="x"; filename*=utf-16''a`, 'files', 'x'],
  ['form-data; name="files"; filename="say \\"hi\\".txt"', 'files', 'say "hi".txt'],
  ['form-data; name="files"; filename="say %22hi%22.txt"', 'files', 'say "hi".txt'],
  ['form-data; name="files"; filename="C:\\dir\\a; b.txt"', 'files', 'C:\\dir\\a; b.txt'],
  ['attachment', '', undefined],
])('%s', ([header, name, fileName]) => {
  expect(parseDisposition(header)).toEqual({ name, fileName })
})

test('takes linear time for a long header', () => {
  const started = performance.now()
  parseDisposition(`form-data; ${'a="'.repeat(5_000)}`)
  parseDisposition(`form-data; name="${'\\'.repeat(16_000)}`)
  expect(performance.now() - started).toBeLessThan(5_000)
})
