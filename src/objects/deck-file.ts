// Is this file what it claims to be? An export that upstream is still writing was seen to come as
// 200 with the first part of a ZIP, so a good beginning proves nothing. Reads only the ends and one
// small entry, within fixed bounds, whatever the file claims.

import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'
import { type ReadRange, readZipDirectory, rejectFile, type ZipEntry } from './zip-directory.ts'

export interface DeckFile {
  format: 'pptx' | 'pdf'
  sizeBytes: number
  /** The bytes from `offset` on; fewer than `length` only at the end of the file. */
  readRange: ReadRange
}

const inflate = promisify(inflateRaw)
const maxContentTypesBytes = 4 * 1024 * 1024

/**
 * Throws Problem UPSTREAM_ERROR, failure `bad-file`, with the reason as its cause. What `readRange`
 * throws passes as it is.
 */
export async function checkDeckFile({ format, sizeBytes, readRange }: DeckFile): Promise<void> {
  const readExactly: ReadRange = async (offset, length) => {
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > sizeBytes)
      rejectFile('points outside itself')
    if (length === 0) return Buffer.alloc(0)
    const bytes = await readRange(offset, length)
    return bytes.length === length ? bytes : rejectFile('is shorter than announced')
  }
  return format === 'pdf' ? checkPdf(sizeBytes, readExactly) : checkPptx(sizeBytes, readExactly)
}

async function checkPdf(sizeBytes: number, read: ReadRange): Promise<void> {
  const start = await read(0, Math.min(5, sizeBytes))
  if (start.toString('latin1') !== '%PDF-') rejectFile('does not begin like a PDF')
  const length = Math.min(1024, sizeBytes)
  const end = await read(sizeBytes - length, length)
  if (!end.includes('%%EOF')) rejectFile('does not end like a PDF')
}

async function checkPptx(sizeBytes: number, read: ReadRange): Promise<void> {
  const entries = await readZipDirectory(sizeBytes, read)
  const contentTypes =
    entries.get('[content_types].xml') ?? rejectFile('has no [Content_Types].xml')
  const xml = textOf(await readEntry(contentTypes, read))
  // Either an Override that names a part, which must be there, or (rarely) a Default for an
  // extension.
  for (const [element] of xml.matchAll(/<(?:\w{1,20}:)?(?:Override|Default)\s[^<>]{1,4000}>/g)) {
    if (!mainPartType.test(element)) continue
    const part = /\sPartName\s*=\s*["']\/?([^"']+)["']/.exec(element)?.[1]
    if (part === undefined || entries.has(part.toLowerCase())) return
  }
  rejectFile('names no PowerPoint presentation')
}

const mainPartType =
  /\sContentType\s*=\s*["']application\/(?:vnd\.openxmlformats-officedocument\.presentationml\.(?:presentation|slideshow|template)|vnd\.ms-powerpoint\.(?:presentation|slideshow|template)\.macroEnabled)\.main\+xml["']/i

async function readEntry(entry: ZipEntry, read: ReadRange): Promise<Buffer> {
  const { offset, compressedBytes, method, isEncrypted } = entry
  if (isEncrypted || compressedBytes > maxContentTypesBytes)
    rejectFile('has an unreadable [Content_Types].xml')
  const header = await read(offset, 30)
  if (header.readUInt32LE(0) !== 0x04034b50) rejectFile('has no entry where its directory says')
  const packed = await read(
    offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28),
    compressedBytes,
  )
  const content =
    method === 0
      ? packed
      : method === 8
        ? await inflated(packed)
        : rejectFile('uses an unknown compression')
  return crc32(content) === entry.crc ? content : rejectFile('has a damaged [Content_Types].xml')
}

async function inflated(packed: Buffer): Promise<Buffer> {
  try {
    return await inflate(packed, { maxOutputLength: maxContentTypesBytes })
  } catch {
    rejectFile('has a [Content_Types].xml that is damaged or too large')
  }
}

/** XML of a package is UTF-8 or UTF-16. */
function textOf(bytes: Buffer): string {
  const isUtf16 =
    bytes.length >= 2 &&
    ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
  return new TextDecoder(isUtf16 ? (bytes[0] === 0xff ? 'utf-16le' : 'utf-16be') : 'utf-8').decode(
    bytes,
  )
}
