import { deflateRawSync } from 'node:zlib'
import PDFDocument from 'pdfkit'
import PptxGenJS from 'pptxgenjs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ExportFormat } from '../contract/presentation.ts'
import { Problem } from '../domain/problem.ts'
import { checkDeckFile } from './deck-file.ts'
import { InvalidFile } from './invalid-file.ts'

const MiB = 1024 * 1024
let pptx: Buffer
let pdf: Buffer

beforeAll(async () => {
  // The types describe the default export of the CommonJS build.
  const deck = new (PptxGenJS as unknown as new () => import('pptxgenjs').default)()
  deck.addSlide().addText('One')
  pptx = Buffer.from((await deck.write({ outputType: 'nodebuffer' })) as Uint8Array)
  pdf = await new Promise((resolve) => {
    const chunks: Buffer[] = []
    const document = new PDFDocument()
    document
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => resolve(Buffer.concat(chunks)))
    document.text('One').end()
  })
})

/**
 * The reason for which a file is refused; undefined when it is accepted. Fails on any other error,
 * and when the check reads too much.
 */
async function refusal(
  bytes: Buffer,
  format: ExportFormat = 'pptx',
  sizeBytes = bytes.length,
): Promise<string | undefined> {
  let read = 0
  const readRange = async (offset: number, length: number) => {
    read += length
    return bytes.subarray(offset, offset + length)
  }
  try {
    await checkDeckFile({ format, sizeBytes, readRange })
    return undefined
  } catch (error) {
    if (!(error instanceof InvalidFile)) throw error
    expect(read).toBeLessThan(13 * MiB)
    return error.reason
  }
}

interface Entry {
  name: string
  content: string | Buffer
  /** Wrong values for its header in the central directory. */
  declared?: { compressedBytes?: number; offset?: number; crc32?: number }
}

interface EndRecord {
  entryCount?: number
  directoryBytes?: number
  directoryOffset?: number
  comment?: string
}

/** Written by hand, since no library writes wrong values. */
function buildZip(entries: Entry[], end: EndRecord = {}): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, content, declared = {} } of entries) {
    const plain = Buffer.from(content as string)
    const compressed = deflateRawSync(plain)
    const localHeader = Buffer.alloc(30)
    localHeader.writeUInt32LE(0x04034b50)
    localHeader.writeUInt16LE(8, 8)
    localHeader.writeUInt16LE(name.length, 26)
    const header = Buffer.alloc(46)
    header.writeUInt32LE(0x02014b50)
    header.writeUInt16LE(8, 10)
    header.writeUInt32LE(declared.crc32 ?? crc32(plain), 16)
    header.writeUInt32LE(declared.compressedBytes ?? compressed.length, 20)
    header.writeUInt32LE(plain.length, 24)
    header.writeUInt16LE(name.length, 28)
    header.writeUInt32LE(declared.offset ?? offset, 42)
    directory.push(header, Buffer.from(name))
    files.push(localHeader, Buffer.from(name), compressed)
    offset += 30 + name.length + compressed.length
  }
  const directoryBytes = directory.reduce((sum, { length }) => sum + length, 0)
  const endRecord = Buffer.alloc(22)
  endRecord.writeUInt32LE(0x06054b50)
  endRecord.writeUInt16LE(end.entryCount ?? entries.length, 10)
  endRecord.writeUInt32LE(end.directoryBytes ?? directoryBytes, 12)
  endRecord.writeUInt32LE(end.directoryOffset ?? offset, 16)
  endRecord.writeUInt16LE(end.comment?.length ?? 0, 20)
  return Buffer.concat([...files, ...directory, endRecord, Buffer.from(end.comment ?? '')])
}

/** Not the function of node:zlib, which the code under test uses. */
function crc32(bytes: Buffer): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

const mainType =
  'application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml'
const contentTypes = (type = mainType, part = '/ppt/presentation.xml') => ({
  name: '[Content_Types].xml',
  content: `<?xml version="1.0"?><Types><Override PartName="${part}" ContentType="${type}"/></Types>`,
})
const presentation = { name: 'ppt/presentation.xml', content: '<p:presentation/>' }

describe('checkDeckFile for PPTX', () => {
  it('accepts a real deck', async () => {
    expect(await refusal(pptx)).toBeUndefined()
  })

  it('accepts all types of PowerPoint main parts, a comment, and ZIP64', async () => {
    for (const type of [
      mainType,
      mainType.replace('presentation.main', 'slideshow.main'),
      'application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml',
    ]) {
      expect(await refusal(buildZip([contentTypes(type), presentation]))).toBeUndefined()
    }
    const commentWithEndRecord = `comment PK\u0005\u0006${'\u0000'.repeat(18)} and more`
    expect(
      await refusal(buildZip([contentTypes(), presentation], { comment: commentWithEndRecord })),
    ).toBeUndefined()
    expect(await refusal(toZip64(buildZip([contentTypes(), presentation])))).toBeUndefined()
  })

  it('refuses a file that is cut off at any byte', async () => {
    const step = Math.max(1, Math.floor(pptx.length / 200))
    for (let length = 0; length < pptx.length; length += step)
      expect(await refusal(pptx.subarray(0, length))).toBeDefined()
    expect(await refusal(pptx.subarray(0, -1))).toContain('not a complete ZIP')
  })

  it('refuses a file that is shorter than declared, and one with bytes after its end', async () => {
    expect(await refusal(pptx, 'pptx', pptx.length + 10)).toContain('shorter than declared')
    expect(await refusal(Buffer.concat([pptx, Buffer.from('x')]))).toContain('not a complete ZIP')
  })

  it.each<[string, () => Buffer, string]>([
    [
      'another type of package',
      () =>
        buildZip([
          contentTypes(
            mainType.replace('presentationml.presentation', 'wordprocessingml.document'),
          ),
        ]),
      'no PowerPoint',
    ],
    ['a package without its main part', () => buildZip([contentTypes()]), 'no PowerPoint'],
    ['a package without content types', () => buildZip([presentation]), 'no [Content_Types].xml'],
    [
      'an entry after the end',
      () => buildZip([contentTypes(), { ...presentation, declared: { offset: 0xfffffff0 } }]),
      'outside its bounds',
    ],
    [
      'an entry longer than the file',
      () => buildZip([contentTypes(), { ...presentation, declared: { compressedBytes: 1e9 } }]),
      'outside its bounds',
    ],
    [
      'a wrong checksum',
      () => buildZip([{ ...contentTypes(), declared: { crc32: 7 } }, presentation]),
      'damaged',
    ],
    [
      'a content types entry that inflates to 5 MiB',
      () => buildZip([{ ...contentTypes(), content: Buffer.alloc(5 * MiB) }, presentation]),
      'over 4 MiB',
    ],
    [
      'an entry count that is too high',
      () => buildZip([contentTypes(), presentation], { entryCount: 60_000 }),
      'has 2 entries, but declares 60000',
    ],
    [
      'a directory larger than the file',
      () => buildZip([contentTypes(), presentation], { directoryBytes: 0xfffffff0 }),
      'outside its bounds',
    ],
    [
      'a directory over 8 MiB',
      () => Buffer.concat([Buffer.alloc(9 * MiB), buildZip([], { directoryBytes: 9 * MiB })]),
      'central directory over 8 MiB',
    ],
    [
      'a directory at a wrong offset',
      () => buildZip([contentTypes(), presentation], { directoryOffset: 3 }),
      'damaged central directory',
    ],
    ['an empty archive', () => buildZip([]), 'no [Content_Types].xml'],
    ['a page of HTML', () => Buffer.from('<html>504 Gateway Timeout</html>'), 'not a complete ZIP'],
    ['an empty file', () => Buffer.alloc(0), 'not a complete ZIP'],
  ])('refuses %s', async (_what, make, reason) => {
    expect(await refusal(make())).toContain(reason)
  })

  it('throws no other error for any damaged byte of the directory and the end record', async () => {
    const small = buildZip([contentTypes(), presentation])
    for (let at = small.length - 160; at < small.length; at += 1) {
      for (const value of [0x00, 0x7f, 0xff]) {
        const damaged = Buffer.from(small)
        damaged[at] = value
        await refusal(damaged)
      }
    }
  })

  it('rejects with the error of the reader', async () => {
    const readRange = () => Promise.reject(new Problem('STORAGE_UNAVAILABLE'))
    await expect(
      checkDeckFile({ format: 'pptx', sizeBytes: 100, readRange }),
    ).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })
})

describe('checkDeckFile for PDF', () => {
  it('accepts a real PDF and refuses an incomplete one and other files', async () => {
    expect(await refusal(pdf, 'pdf')).toBeUndefined()
    expect(await refusal(pdf.subarray(0, pdf.length - 10), 'pdf')).toContain('end like a PDF')
    expect(await refusal(pptx, 'pdf')).toContain('begin like a PDF')
    expect(await refusal(Buffer.from('%PDF'), 'pdf')).toContain('begin like a PDF')
    expect(await refusal(Buffer.alloc(0), 'pdf')).toContain('begin like a PDF')
  })
})

/** The same archive with the numbers of its end record in a ZIP64 end record. */
function toZip64(archive: Buffer): Buffer {
  const end = Buffer.from(archive.subarray(-22))
  const zip64 = Buffer.alloc(56)
  zip64.writeUInt32LE(0x06064b50)
  zip64.writeBigUInt64LE(44n, 4)
  zip64.writeBigUInt64LE(BigInt(end.readUInt16LE(10)), 32)
  zip64.writeBigUInt64LE(BigInt(end.readUInt32LE(12)), 40)
  zip64.writeBigUInt64LE(BigInt(end.readUInt32LE(16)), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50)
  locator.writeBigUInt64LE(BigInt(archive.length - 22), 8)
  end.writeUInt16LE(0xffff, 10)
  end.writeUInt32LE(0xffffffff, 12)
  end.writeUInt32LE(0xffffffff, 16)
  return Buffer.concat([archive.subarray(0, -22), zip64, locator, end])
}
