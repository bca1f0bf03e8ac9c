// Documents of all kinds that users upload, made by libraries, for tests and demos.

import { Buffer } from 'node:buffer'
import { deflateSync } from 'node:zlib'
import JSZip from 'jszip'
import PdfDocument from 'pdfkit'

const sentence = 'The harbour handled twelve percent more freight this year.'

export interface PdfOptions {
  text?: string
  /** Encrypts the file. */
  password?: string
  version?: '1.4' | '1.7ext3'
}

export async function pdf({
  text = sentence,
  password,
  version,
}: PdfOptions = {}): Promise<Buffer> {
  const document = new PdfDocument({
    ...(password !== undefined && { userPassword: password }),
    ...(version && { pdfVersion: version }),
  })
  const chunks: Buffer[] = []
  document.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise((resolve) => document.on('end', resolve))
  document.text(text)
  document.end()
  await ended
  return Buffer.concat(chunks)
}

const officeTypes = {
  docx: ['word/document.xml', 'wordprocessingml.document.main'],
  xlsx: ['xl/workbook.xml', 'spreadsheetml.sheet.main'],
  pptx: ['ppt/presentation.xml', 'presentationml.presentation.main'],
} as const

export interface OfficeOptions {
  /** Further entries; the first ones in the archive. */
  entries?: Record<string, string | Uint8Array>
  text?: string
}

export function officeOpenXml(
  kind: keyof typeof officeTypes,
  { entries = {}, text = sentence }: OfficeOptions = {},
): Promise<Buffer> {
  const [part, type] = officeTypes[kind]
  const zip = new JSZip()
  for (const [name, content] of Object.entries(entries)) zip.file(name, content)
  zip.file(
    '[Content_Types].xml',
    `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/${part}" ContentType="application/vnd.openxmlformats-officedocument.${type}+xml"/></Types>`,
  )
  zip.file(
    part,
    `<?xml version="1.0"?><w:document xmlns:w="urn:w"><w:body><w:p><w:r><w:t>${text}</w:t></w:r></w:p></w:body></w:document>`,
  )
  return zip.generateAsync({ type: 'nodebuffer', compression: 'DEFLATE' })
}

export function openDocument(
  kind: 'text' | 'spreadsheet' | 'presentation',
  { isEncrypted = false } = {},
): Promise<Buffer> {
  const zip = new JSZip()
  const type = `application/vnd.oasis.opendocument.${kind}`
  zip.file('mimetype', type, { compression: 'STORE' })
  zip.file(
    'content.xml',
    `<office:document-content><text:p>${sentence}</text:p></office:document-content>`,
  )
  const encryption = isEncrypted ? '<manifest:encryption-data manifest:checksum="x"/>' : ''
  zip.file(
    'META-INF/manifest.xml',
    `<manifest:manifest><manifest:file-entry manifest:full-path="content.xml">${encryption}</manifest:file-entry></manifest:manifest>`,
  )
  return zip.generateAsync({ type: 'nodebuffer', compression: 'DEFLATE' })
}

/** A compound file with these stream names in its directory, as far as readers of names look. */
export function compoundFile(names: string[]): Buffer {
  const bytes = Buffer.alloc(512 * 3)
  Buffer.from('d0cf11e0a1b11ae1', 'hex').copy(bytes)
  bytes.writeUInt16LE(9, 30)
  bytes.writeUInt32LE(1, 48)
  bytes.writeUInt32LE(0, 76)
  bytes.fill(0xff, 80, 512)
  // The table: the directory in sector 1 is the end of its chain.
  bytes.writeUInt32LE(0xfffffffd, 512)
  bytes.writeUInt32LE(0xfffffffe, 516)
  for (const [index, name] of ['Root Entry', ...names].slice(0, 4).entries()) {
    const at = 1024 + index * 128
    bytes.write(name, at, 'utf16le')
    bytes.writeUInt16LE(name.length * 2 + 2, at + 64)
  }
  return bytes
}

export const encryptedOffice = () => compoundFile(['EncryptionInfo', 'EncryptedPackage'])
export const oldWordDocument = () => compoundFile(['WordDocument', '1Table'])

/** One grey pixel, as a scan would have millions. */
export function png(): Buffer {
  const chunk = (name: string, data: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    return Buffer.concat([length, Buffer.from(name), data, Buffer.alloc(4)])
  }
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0])
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.from([0, 128]))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

export const jpeg = () => Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex')
export const webp = () =>
  Buffer.concat([Buffer.from('RIFF\x1a\0\0\0WEBPVP8L', 'latin1'), Buffer.alloc(14)])
export const rtf = () => Buffer.from(`{\\rtf1\\ansi ${sentence}}`)

export function utf16(text: string, { isBigEndian = false } = {}): Buffer {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le')
  return isBigEndian ? bytes.swap16() : bytes
}
