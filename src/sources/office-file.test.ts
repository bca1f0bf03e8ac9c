import { describe, expect, test } from 'vitest'
import { exactReads } from '../objects/exact-reads.ts'
import {
  encryptedOffice,
  officeOpenXml,
  oldWordDocument,
  openDocument,
} from '../sandbox/documents.ts'
import { isEncryptedOffice } from './compound-file.ts'
import { checkOfficeFile, readOfficeEntries, recognizeOfficeFile } from './office-file.ts'

async function judge(bytes: Buffer) {
  const range = async (offset: number, length: number) => bytes.subarray(offset, offset + length)
  const file = { sizeBytes: bytes.length, read: exactReads(range, bytes.length) }
  const entries = await readOfficeEntries(file)
  const type = await recognizeOfficeFile(entries, file)
  await checkOfficeFile(entries, file)
  return type
}

const signature = Buffer.from('504b0102', 'hex')

/** The offset of each entry of the central directory. */
function directoryOf(bytes: Buffer): number[] {
  const offsets: number[] = []
  for (let at = bytes.indexOf(signature); at !== -1; at = bytes.indexOf(signature, at + 1))
    offsets.push(at)
  return offsets
}

async function changed(change: (bytes: Buffer, entry: number) => void): Promise<Buffer> {
  const bytes = Buffer.from(await officeOpenXml('docx'))
  for (const entry of directoryOf(bytes)) change(bytes, entry)
  return bytes
}

test('recognises a document whose type is told at its end', async () => {
  const media = { 'word/media/a.bin': crypto.getRandomValues(new Uint8Array(60_000)) }
  expect(await judge(await officeOpenXml('docx', { entries: media }))).toMatch(/wordprocessingml/)
  expect(await judge(await openDocument('presentation'))).toMatch(/opendocument.presentation/)
})

describe('refuses', () => {
  test.for<[what: string, reason: RegExp, () => Promise<Buffer>]>([
    [
      '3 GB that 2 MB unpack to',
      /more than 500 MiB/,
      () => changed((bytes, entry) => bytes.writeUInt32LE(1_500_000_000, entry + 24)),
    ],
    [
      '20 times its size',
      /20 times/,
      () => changed((bytes, entry) => bytes.writeUInt32LE(100_000, entry + 24)),
    ],
    [
      'entries at one place',
      /overlap/,
      () => changed((bytes, entry) => bytes.writeUInt32LE(0, entry + 42)),
    ],
    [
      'encrypted entries',
      /encrypted/,
      () => changed((bytes, entry) => bytes.writeUInt16LE(1, entry + 8)),
    ],
    [
      'an encrypted OpenDocument file',
      /is encrypted/,
      () => openDocument('text', { isEncrypted: true }),
    ],
    [
      'a missing end',
      /not a complete ZIP/,
      async () => (await officeOpenXml('docx')).subarray(0, -1),
    ],
  ])('%s', async ([, reason, file]) => {
    await expect(judge(await file())).rejects.toMatchObject({
      reason: expect.stringMatching(reason),
    })
  })
})

test('tells encrypted Office files from the old formats', async () => {
  const isEncrypted = (bytes: Buffer) =>
    isEncryptedOffice(
      exactReads(async (offset, length) => bytes.subarray(offset, offset + length), bytes.length),
    )
  expect(await isEncrypted(encryptedOffice())).toBe(true)
  expect(await isEncrypted(oldWordDocument())).toBe(false)
  expect(await isEncrypted(encryptedOffice().subarray(0, 600))).toBe(false)
})
