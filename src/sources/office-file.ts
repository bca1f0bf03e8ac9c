// Office files in ZIP form. Their type and their checks come from the central directory alone,
// which is what every reader of such files uses; nothing in them is inflated but two small entries.

import { crc32 } from 'node:zlib'
import { fileTypeFromBuffer } from 'file-type'
import { InvalidFile, refuseFile } from '../objects/invalid-file.ts'
import { type ReadRange, readZipEntries, type ZipEntry } from '../objects/zip-directory.ts'
import { readCompressed, readZipEntry } from '../objects/zip-entry.ts'

const mib = 1024 * 1024
/** Over 10,000 entries; a file with a thousand images has 200 KiB. */
const maxDirectoryBytes = mib
const maxSmallEntryBytes = mib
const maxUnpackedBytes = 500 * mib
const maxRatio = 20

/** The entries that tell the type: of Office Open XML, and of OpenDocument. */
const typeEntries = ['[content_types].xml', 'mimetype']

export interface OfficeFile {
  sizeBytes: number
  /** Returns exactly as many bytes as requested. */
  read: ReadRange
}

/** The entries of a file that begins like a ZIP archive. Throws InvalidFile for a truncated one. */
export function readOfficeEntries({ sizeBytes, read }: OfficeFile): Promise<ZipEntry[]> {
  return readZipEntries(sizeBytes, read, maxDirectoryBytes)
}

/** The content type; that of any ZIP archive when it is no Office file. */
export async function recognizeOfficeFile(
  entries: ZipEntry[],
  { read }: OfficeFile,
): Promise<string | undefined> {
  const entry = typeEntries
    .map((wanted) => entries.find(({ name }) => name.toLowerCase() === wanted))
    .find((found) => found !== undefined)
  if (!entry) return 'application/zip'
  // file-type reads archives from the start, up to a limit. An archive of this one entry tells the
  // same, wherever the entry is.
  const bytes = await readCompressed(entry, read, maxSmallEntryBytes)
  return (await fileTypeFromBuffer(archiveOf(entry, bytes)))?.mime
}

/** An archive of one entry, without a central directory. */
function archiveOf(entry: ZipEntry, bytes: Buffer): Buffer {
  const name = Buffer.from(
    entry.name.toLowerCase() === 'mimetype' ? 'mimetype' : '[Content_Types].xml',
  )
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(20, 4)
  header.writeUInt16LE(entry.compressionMethod, 8)
  header.writeUInt32LE(entry.crc32 || crc32(bytes), 14)
  header.writeUInt32LE(bytes.length, 18)
  header.writeUInt32LE(entry.uncompressedBytes, 22)
  header.writeUInt16LE(name.length, 26)
  return Buffer.concat([header, name, bytes])
}

/**
 * Throws InvalidFile for an encrypted file, and for one made to exhaust the program that unpacks
 * it.
 */
export async function checkOfficeFile(entries: ZipEntry[], file: OfficeFile): Promise<void> {
  if (entries.some(({ isEncrypted }) => isEncrypted)) refuseFile('is encrypted')
  const unpackedBytes = entries.reduce((sum, entry) => sum + entry.uncompressedBytes, 0)
  if (unpackedBytes > maxUnpackedBytes) refuseFile('declares more than 500 MiB of content')
  if (unpackedBytes > maxRatio * file.sizeBytes)
    refuseFile(`declares more than ${maxRatio} times its size of content`)
  checkOverlaps(entries)
  await checkManifest(entries, file)
}

/** Entries that share bytes multiply the content of a small file. */
function checkOverlaps(entries: ZipEntry[]): void {
  const inOrder = entries.toSorted((a, b) => a.localHeaderOffset - b.localHeaderOffset)
  let end = 0
  for (const { localHeaderOffset, nameBytes, compressedBytes } of inOrder) {
    if (localHeaderOffset < end) refuseFile('has entries that overlap')
    end = localHeaderOffset + 30 + nameBytes + compressedBytes
  }
}

/** OpenDocument does not mark encrypted entries, but names them in its manifest. */
async function checkManifest(entries: ZipEntry[], { read }: OfficeFile): Promise<void> {
  const manifest = entries.find(({ name }) => name.toLowerCase() === 'meta-inf/manifest.xml')
  if (!manifest) return
  const xml = (await readZipEntry(manifest, read, maxSmallEntryBytes)).toString('utf8')
  if (/<(?:[\w-]{1,40}:)?encryption-data[\s/>]/.test(xml)) refuseFile('is encrypted')
}

/** `work` with undefined for a file that InvalidFile refuses. */
export async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (error instanceof InvalidFile) return undefined
    throw error
  })
}
