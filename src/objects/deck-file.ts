// Checks that a file is a complete PPTX or PDF: upstream was seen to send the first part of a
// growing export with status 200. Reads only the ends of the file and one small entry, within fixed
// bounds.

import type { ExportFormat } from '../contract/presentation.ts'
import { exactReads } from './exact-reads.ts'
import { refuseFile } from './invalid-file.ts'
import { type ReadRange, readZipDirectory } from './zip-directory.ts'
import { readZipEntry } from './zip-entry.ts'

export interface DeckFile {
  format: ExportFormat
  sizeBytes: number
  readRange: ReadRange
}

const maxContentTypesBytes = 4 * 1024 * 1024

/** Throws InvalidFile with the reason. Errors of `readRange` pass unchanged. */
export async function checkDeckFile({ format, sizeBytes, readRange }: DeckFile): Promise<void> {
  const readExactly = exactReads(readRange, sizeBytes)
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
  const xml = decodeXml(await readZipEntry(contentTypes, read, maxContentTypesBytes))
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

/** XML in a package is UTF-8 or UTF-16. */
function decodeXml(bytes: Buffer): string {
  const byteOrderMark = bytes.subarray(0, 2).toString('hex')
  const encoding = { fffe: 'utf-16le', feff: 'utf-16be' }[byteOrderMark] ?? 'utf-8'
  return new TextDecoder(encoding).decode(bytes)
}
