import { deflateRawSync } from 'node:zlib'
import PDFDocument from 'pdfkit'
import PptxGenJS from 'pptxgenjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { checkDeckFile } from './deck-file.ts'

let pptx: Buffer
let pdf: Buffer

beforeAll(async () => {
  // The package's types describe its CommonJS default as a namespace.
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
 * Why a file is refused; undefined when it is taken. Fails on any other error, and when the check
 * reads too much.
 */
async function refusal(
  bytes: Buffer,
  format: 'pptx' | 'pdf' = 'pptx',
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
    if (!(error instanceof Problem)) throw error
    expect(error).toMatchObject({ code: 'UPSTREAM_ERROR', failure: 'bad-file' })
    expect(read).toBeLessThan(13 * 1024 * 1024)
    return (error.cause as Error).message
  }
}

interface Entry {
  name: string
  content: string | Buffer
  /** What its header in the directory says instead. */
  claims?: { packed?: number; offset?: number; crc?: number }
}

/** A ZIP written by hand, so that it can lie. */
function zip(
  entries: Entry[],
  end: { count?: number; size?: number; offset?: number; comment?: string } = {},
): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, content, claims = {} } of entries) {
    const plain = Buffer.from(content as string)
    const packed = deflateRawSync(plain)
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50)
    header.writeUInt16LE(8, 8)
    header.writeUInt16LE(name.length, 26)
    const listed = Buffer.alloc(46)
    listed.writeUInt32LE(0x02014b50)
    listed.writeUInt16LE(8, 10)
    listed.writeUInt32LE(claims.crc ?? crcOf(plain), 16)
    listed.writeUInt32LE(claims.packed ?? packed.length, 20)
    listed.writeUInt32LE(plain.length, 24)
    listed.writeUInt16LE(name.length, 28)
    listed.writeUInt32LE(claims.offset ?? offset, 42)
    directory.push(listed, Buffer.from(name))
    files.push(header, Buffer.from(name), packed)
    offset += 30 + name.length + packed.length
  }
  const listing = Buffer.concat(directory)
  const last = Buffer.alloc(22)
  last.writeUInt32LE(0x06054b50)
  last.writeUInt16LE(end.count ?? entries.length, 10)
  last.writeUInt32LE(end.size ?? listing.length, 12)
  last.writeUInt32LE(end.offset ?? offset, 16)
  last.writeUInt16LE(end.comment?.length ?? 0, 20)
  return Buffer.concat([...files, listing, last, Buffer.from(end.comment ?? '')])
}

/** Bit by bit, so that it is not checked against itself. */
function crcOf(bytes: Buffer): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

const main = 'application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml'
const types = (type = main, part = '/ppt/presentation.xml') => ({
  name: '[Content_Types].xml',
  content: `<?xml version="1.0"?><Types><Override PartName="${part}" ContentType="${type}"/></Types>`,
})
const presentation = { name: 'ppt/presentation.xml', content: '<p:presentation/>' }

describe('checkDeckFile, pptx', () => {
  it('takes a real deck', async () => {
    expect(await refusal(pptx)).toBeUndefined()
  })

  it('takes all kinds of PowerPoint main parts, a comment at the end, and wide numbers', async () => {
    for (const type of [
      main,
      main.replace('presentation.main', 'slideshow.main'),
      'application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml',
    ]) {
      expect(await refusal(zip([types(type), presentation]))).toBeUndefined()
    }
    const withEndInside = `a comment with an end record: PK\u0005\u0006${'\u0000'.repeat(18)} and more`
    expect(await refusal(zip([types(), presentation], { comment: withEndInside }))).toBeUndefined()
    expect(await refusal(zip64(zip([types(), presentation])))).toBeUndefined()
  })

  it('refuses every file that was cut off, wherever', async () => {
    const step = Math.max(1, Math.floor(pptx.length / 200))
    for (let length = 0; length < pptx.length; length += step)
      expect(await refusal(pptx.subarray(0, length))).toBeDefined()
    expect(await refusal(pptx.subarray(0, -1))).toContain('whole to its end')
  })

  it('refuses one that is shorter than announced, and one with something behind it', async () => {
    expect(await refusal(pptx, 'pptx', pptx.length + 10)).toContain('shorter than announced')
    expect(await refusal(Buffer.concat([pptx, Buffer.from('x')]))).toContain('whole to its end')
  })

  it.each<[string, () => Buffer, string]>([
    [
      'another kind of package',
      () => zip([types(main.replace('presentationml.presentation', 'wordprocessingml.document'))]),
      'no PowerPoint',
    ],
    ['a main part that is not there', () => zip([types()]), 'no PowerPoint'],
    ['no content types', () => zip([presentation]), 'no [Content_Types].xml'],
    [
      'an entry behind the end',
      () => zip([types(), { ...presentation, claims: { offset: 0xfffffff0 } }]),
      'lies outside',
    ],
    [
      'an entry longer than the file',
      () => zip([types(), { ...presentation, claims: { packed: 1e9 } }]),
      'lies outside',
    ],
    ['a wrong checksum', () => zip([{ ...types(), claims: { crc: 7 } }, presentation]), 'damaged'],
    [
      'a content types entry that is a bomb',
      () => zip([{ ...types(), content: Buffer.alloc(5 * 1024 * 1024) }, presentation]),
      'too large',
    ],
    [
      'more entries than it has',
      () => zip([types(), presentation], { count: 60_000 }),
      'more or fewer',
    ],
    [
      'a directory larger than the file',
      () => zip([types(), presentation], { size: 0xfffffff0 }),
      'lies outside',
    ],
    ['a directory elsewhere', () => zip([types(), presentation], { offset: 3 }), 'broken table'],
    ['an empty archive', () => zip([]), 'no [Content_Types].xml'],
    ['a page of HTML', () => Buffer.from('<html>504 Gateway Timeout</html>'), 'whole to its end'],
    ['nothing', () => Buffer.alloc(0), 'whole to its end'],
  ])('refuses %s', async (_what, make, reason) => {
    expect(await refusal(make())).toContain(reason)
  })

  it('survives every damaged byte of the directory and the end without another error', async () => {
    const small = zip([types(), presentation])
    for (let at = small.length - 160; at < small.length; at += 1) {
      for (const value of [0x00, 0x7f, 0xff]) {
        const damaged = Buffer.from(small)
        damaged[at] = value
        await refusal(damaged)
      }
    }
  })

  it('passes on what reading throws', async () => {
    const readRange = () => Promise.reject(new Problem('STORAGE_UNAVAILABLE'))
    await expect(
      checkDeckFile({ format: 'pptx', sizeBytes: 100, readRange }),
    ).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })
})

describe('checkDeckFile, pdf', () => {
  it('takes a real one and refuses a part of it, or something else', async () => {
    expect(await refusal(pdf, 'pdf')).toBeUndefined()
    expect(await refusal(pdf.subarray(0, pdf.length - 10), 'pdf')).toContain('end like a PDF')
    expect(await refusal(pptx, 'pdf')).toContain('begin like a PDF')
    expect(await refusal(Buffer.from('%PDF'), 'pdf')).toContain('begin like a PDF')
    expect(await refusal(Buffer.alloc(0), 'pdf')).toContain('begin like a PDF')
  })
})

/** The same archive with the numbers of its end moved into a ZIP64 record. */
function zip64(archive: Buffer): Buffer {
  const end = Buffer.from(archive.subarray(-22))
  const wide = Buffer.alloc(56)
  wide.writeUInt32LE(0x06064b50)
  wide.writeBigUInt64LE(44n, 4)
  wide.writeBigUInt64LE(BigInt(end.readUInt16LE(10)), 32)
  wide.writeBigUInt64LE(BigInt(end.readUInt32LE(12)), 40)
  wide.writeBigUInt64LE(BigInt(end.readUInt32LE(16)), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50)
  locator.writeBigUInt64LE(BigInt(archive.length - 22), 8)
  end.writeUInt16LE(0xffff, 10)
  end.writeUInt32LE(0xffffffff, 12)
  end.writeUInt32LE(0xffffffff, 16)
  return Buffer.concat([archive.subarray(0, -22), wide, locator, end])
}
