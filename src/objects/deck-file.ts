// Checks that a file is a complete PPTX or PDF: upstream was seen to send the first part of a
// growing export with status 200. Reads only the ends of the file and one small entry, within fixed
// bounds.

import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'
import type { ExportFormat } from '../contract/presentation.ts'
import { refuseFile } from './invalid-file.ts'
import { type ReadRange, readZipDirectory, type ZipEntry } from './zip-directory.ts'

export interface DeckFile {
  format: ExportFormat
  sizeBytes: number
  readRange: ReadRange
}

const inflate = promisify(inflateRaw)
const maxContentTypesBytes = 4 * 1024 * 1024

/** Throws InvalidFile with the reason. Errors of `readRange` pass unchanged. */
export async function checkDeckFile({ format, sizeBytes, readRange }: DeckFile): Promise<void> {
  const readExactly: ReadRange = async (offset, length) => {
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > sizeBytes)
      refuseFile('points outside its bounds')
    if (length === 0) return Buffer.alloc(0)
    const bytes = await readRange(offset, length)
    return bytes.length === length ? bytes : refuseFile('is shorter than declared')
  }
  return format === 'pdf' ? checkPdf(sizeBytes, readExactly) : checkPptx(sizeBytes, readExactly)
}

async function checkPdf(sizeBytes: number, read: ReadRange): Promise<void> {
  const start = await read(0, Math.min(5, sizeBytes))
  if (start.toString('latin1') !== '%PDF-') refuseFile('does not begin like a PDF')
  const length = Math.min(1024, sizeBytes)
  const end = await read(sizeBytes - length, length)
  if (!end.includes('%%EOF')) refuseFile('does not end like a PDF')
}

async function checkPptx(sizeBytes: number, read: ReadRange): Promise<void> {
  const entries = await readZipDirectory(sizeBytes, read)
  const contentTypes =
    entries.get('[content_types].xml') ?? refuseFile('has no [Content_Types].xml')
  const xml = decodeXml(await readEntry(contentTypes, read))
  // The type is in an Override, which names a part of the package, or rarely in a Default, which
  // names an extension.
  for (const [element] of xml.matchAll(/<(?:\w{1,20}:)?(?:Override|Default)\s[^<>]{1,4000}>/g)) {
    if (!mainPartType.test(element)) continue
    const part = /\sPartName\s*=\s*["']\/?([^"']+)["']/.exec(element)?.[1]
    if (part === undefined || entries.has(part.toLowerCase())) return
  }
  refuseFile('contains no PowerPoint presentation')
}

const mainPartType =
  /\sContentType\s*=\s*["']application\/(?:vnd\.openxmlformats-officedocument\.presentationml\.(?:presentation|slideshow|template)|vnd\.ms-powerpoint\.(?:presentation|slideshow|template)\.macroEnabled)\.main\+xml["']/i

/** The content of [Content_Types].xml, at most 4 MiB before and after inflation. */
async function readEntry(entry: ZipEntry, read: ReadRange): Promise<Buffer> {
  const { localHeaderOffset, compressedBytes, compressionMethod, isEncrypted } = entry
  if (isEncrypted) refuseFile('has an encrypted [Content_Types].xml')
  if (compressedBytes > maxContentTypesBytes) refuseFile('has a [Content_Types].xml over 4 MiB')
  const header = await read(localHeaderOffset, 30)
  if (header.readUInt32LE(0) !== 0x04034b50) refuseFile('has a damaged local header')
  const nameAndExtraBytes = header.readUInt16LE(26) + header.readUInt16LE(28)
  const compressed = await read(localHeaderOffset + 30 + nameAndExtraBytes, compressedBytes)
  const content = await decompress(compressed, compressionMethod)
  return crc32(content) === entry.crc32 ? content : refuseFile('has a damaged [Content_Types].xml')
}

async function decompress(bytes: Buffer, method: number): Promise<Buffer> {
  if (method === 0) return bytes
  if (method !== 8) refuseFile(`uses the unsupported compression method ${method}`)
  try {
    return await inflate(bytes, { maxOutputLength: maxContentTypesBytes })
  } catch {
    refuseFile('has a [Content_Types].xml that is damaged or over 4 MiB')
  }
}

/** XML in a package is UTF-8 or UTF-16. */
function decodeXml(bytes: Buffer): string {
  const byteOrderMark = bytes.subarray(0, 2).toString('hex')
  const encoding = { fffe: 'utf-16le', feff: 'utf-16be' }[byteOrderMark] ?? 'utf-8'
  return new TextDecoder(encoding).decode(bytes)
}
