// Whether a PDF is encrypted: a trailer, or the dictionary of a cross-reference stream, then has an
// entry `Encrypt`. They are found from the end of the file, as readers do; the sections of earlier
// updates and of linearised files are linked. A file without valid links is searched as a whole.

import type { ReadRange } from '../objects/zip-directory.ts'
import { readDictionary, tokensOf } from './pdf-tokens.ts'

export interface PdfFile {
  sizeBytes: number
  /** Fewer bytes than requested only at the end of the file. */
  read: ReadRange
}

/** The end of the file that names the newest section; readers search at least 1 KiB. */
const endBytes = 4 * 1024
/** A dictionary of a trailer has some hundred bytes. */
const windowBytes = 64 * 1024
const searchBytes = 1024 * 1024
const entryBytes = 20
/** Each save adds a section. */
const maxSections = 1_000
const maxSubsections = 10_000

type Dictionary = Map<string, string>

export async function isEncryptedPdf(file: PdfFile): Promise<boolean> {
  return (await isEncryptedByLinks(file)) ?? searchForEncryption(file)
}

const isEncrypted = (dictionary: Dictionary) =>
  dictionary.has('Encrypt') && dictionary.get('Encrypt') !== 'null'

/** Undefined when the newest section, or one that it links to, cannot be read. */
async function isEncryptedByLinks(file: PdfFile): Promise<boolean | undefined> {
  const length = Math.min(endBytes, file.sizeBytes)
  const end = (await file.read(file.sizeBytes - length, length)).toString('latin1')
  const newest = /startxref\s+(\d{1,15})/.exec(end.slice(end.lastIndexOf('startxref')))?.[1]
  if (newest === undefined) return undefined
  const seen = new Set<number>()
  const offsets = [Number(newest)]
  for (let offset = offsets.pop(); offset !== undefined; offset = offsets.pop()) {
    if (seen.has(offset)) continue
    seen.add(offset)
    if (seen.size > maxSections) return undefined
    const dictionary = await readSection(file, offset)
    if (!dictionary) return undefined
    if (isEncrypted(dictionary)) return true
    for (const link of [dictionary.get('Prev'), dictionary.get('XRefStm')]) {
      if (link !== undefined && /^\d{1,15}$/.test(link)) offsets.push(Number(link))
    }
  }
  return false
}

function readWindow({ sizeBytes, read }: PdfFile, offset: number): Promise<Buffer> {
  return read(offset, Math.max(0, Math.min(windowBytes, sizeBytes - offset)))
}

/** The dictionary of a table's trailer, or of a cross-reference stream. */
async function readSection(file: PdfFile, offset: number): Promise<Dictionary | undefined> {
  if (offset >= file.sizeBytes) return undefined
  const bytes = await readWindow(file, offset)
  const text = bytes.toString('latin1', 0, 64)
  const [stream] = /^\s*\d+\s+\d+\s+obj\s*/.exec(text) ?? []
  if (stream !== undefined) {
    const dictionary = readDictionary(bytes, stream.length)
    return dictionary?.get('Type') === '/XRef' ? dictionary : undefined
  }
  const [table] = /^\s*xref\s*/.exec(text) ?? []
  return table === undefined ? undefined : readTrailer(file, offset + table.length)
}

/** Skips the entries of the table, which begins at `offset`. */
async function readTrailer(file: PdfFile, offset: number): Promise<Dictionary | undefined> {
  let at = offset
  for (let count = 0; count < maxSubsections && at < file.sizeBytes; count += 1) {
    const bytes = await readWindow(file, at)
    const text = bytes.toString('latin1', 0, 64)
    const [trailer] = /^\s*trailer\s*/.exec(text) ?? []
    if (trailer !== undefined) return readDictionary(bytes, trailer.length)
    const [subsection, entries] = /^\s*\d{1,10}\s+(\d{1,10})[ \t]*(?:\r\n|\r|\n)/.exec(text) ?? []
    if (subsection === undefined) return undefined
    at += subsection.length + Number(entries) * entryBytes
  }
  return undefined
}

/** Looks for every trailer and every cross-reference stream, in windows that overlap. */
async function searchForEncryption(file: PdfFile): Promise<boolean> {
  for (let offset = 0; offset < file.sizeBytes; offset += searchBytes) {
    const length = Math.min(searchBytes + windowBytes, file.sizeBytes - offset)
    const bytes = await file.read(offset, length)
    for (const at of occurrences(bytes, 'trailer')) {
      const [first] = tokensOf(bytes, at + 'trailer'.length)
      const dictionary = first === '<<' && readDictionary(bytes, bytes.indexOf('<<', at))
      if (dictionary && isEncrypted(dictionary)) return true
    }
    for (const at of occurrences(bytes, '/XRef')) {
      const object = bytes.lastIndexOf('obj', at)
      const start = object === -1 ? -1 : bytes.indexOf('<<', object)
      const dictionary = start !== -1 && start < at && readDictionary(bytes, start)
      if (dictionary && dictionary.get('Type') === '/XRef' && isEncrypted(dictionary)) return true
    }
  }
  return false
}

function* occurrences(bytes: Buffer, word: string): Generator<number> {
  for (let at = bytes.indexOf(word); at !== -1; at = bytes.indexOf(word, at + 1)) yield at
}
