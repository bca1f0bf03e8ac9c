// Sources as the programs of offices write them. The files come from python-docx, openpyxl,
// XlsxWriter, python-pptx, odfpy, reportlab, pypdf, msoffcrypto-tool, Pillow and LibreOffice.

import { readFileSync } from 'node:fs'
import { crc32, deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { upload } from './uploads.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

const read = (name: string) =>
  readFileSync(new URL(`../sandbox/office-files/${name}`, import.meta.url))

const officeXml = 'application/vnd.openxmlformats-officedocument'
const opendocument = 'application/vnd.oasis.opendocument'

test.for<[name: string, type: string]>([
  ['report.docx', `${officeXml}.wordprocessingml.document`],
  ['table.xlsx', `${officeXml}.spreadsheetml.sheet`],
  ['streamed.xlsx', `${officeXml}.spreadsheetml.sheet`],
  ['deck.pptx', `${officeXml}.presentationml.presentation`],
  ['notes.odt', `${opendocument}.text`],
  ['table.ods', `${opendocument}.spreadsheet`],
  ['deck.odp', `${opendocument}.presentation`],
  ['report.pdf', 'application/pdf'],
  ['scan.png', 'image/png'],
  ['libreoffice.docx', `${officeXml}.wordprocessingml.document`],
  ['libreoffice.xlsx', `${officeXml}.spreadsheetml.sheet`],
  ['libreoffice.pptx', `${officeXml}.presentationml.presentation`],
  ['libreoffice.odt', `${opendocument}.text`],
  ['libreoffice.ods', `${opendocument}.spreadsheet`],
  ['libreoffice.odp', `${opendocument}.presentation`],
  ['libreoffice.pdf', 'application/pdf'],
  ['libreoffice.rtf', 'application/rtf'],
  ['utf16.csv', 'text/csv'],
])('%s is taken as %s', async ([name, content_type]) => {
  const user = await world.createUser()
  const content = read(name)
  // The name says nothing but the kind of a text: the content decides.
  const sent = content_type.startsWith('text/') ? name : 'file.bin'
  const { status, body } = await upload(user, world.url, [{ name: sent, content }])
  expect({ status, body }).toMatchObject({
    status: 201,
    body: { items: [{ content_type, size_bytes: content.length }] },
  })
})

test.each([
  ['encrypted-rc4.pdf', 'encrypted'],
  ['encrypted-aes.pdf', 'encrypted'],
  ['encrypted-table.xlsx', 'encrypted'],
  // One sentence, with all styles of the template of python-docx.
  ['too-compressed.docx', '20 times'],
])('%s is refused: %s', async (name, reason) => {
  const user = await world.createUser()
  const response = await upload(user, world.url, [{ name, content: read(name) }])
  expect(response).toMatchObject({
    status: 400,
    body: {
      code: 'VALIDATION_FAILED',
      errors: [{ path: '/files/0', message: expect.stringContaining(reason) }],
    },
  })
})

test('a document of 3 MB that unpacks to 3 GB is refused, however it says so', async () => {
  const user = await world.createUser()
  const bomb = archiveOf(60, 50 * 1024 * 1024)
  expect(bomb.length).toBeLessThan(3.2 * 1024 * 1024)
  const response = await upload(user, world.url, [{ name: 'report.docx', content: bomb }])
  expect(response).toMatchObject({
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: '/files/0' }] },
  })
  expect((await user.api('/sources')).body.items).toEqual([])
}, 120_000)

/** A docx with `count` entries of `bytes` zeros each. JSZip would need all of them in memory. */
function archiveOf(count: number, bytes: number): Buffer {
  const zeros = Buffer.alloc(bytes)
  const types = Buffer.from(
    `<Types><Override PartName="/word/document.xml" ContentType="${officeXml}.wordprocessingml.document.main+xml"/></Types>`,
  )
  const packed = { data: deflateRawSync(zeros, { level: 9 }), crc: crc32(zeros), size: bytes }
  const entries = [
    {
      name: '[Content_Types].xml',
      data: deflateRawSync(types),
      crc: crc32(types),
      size: types.length,
    },
    ...Array.from({ length: count }, (_, n) => ({ name: `word/media/${n}.bin`, ...packed })),
  ]
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, data, crc, size } of entries) {
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(crc, 10)
    common.writeUInt32LE(data.length, 14)
    common.writeUInt32LE(size, 18)
    common.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), data])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(offset, 10)
    const head = Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, rest])
    directory.push(head, Buffer.from(name))
    parts.push(local)
    offset += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...parts, central, Buffer.from('PK\x05\x06'), end])
}
