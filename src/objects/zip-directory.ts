// Reads the central directory at the end of a ZIP file; every number in it is checked before use.
// Not yauzl 3.4: it refuses a comment that holds an end record, accepts entry counts and directory
// sizes that are wrong, reads each entry in two requests and sets no limit on the directory.

import { refuseFile } from './invalid-file.ts'

/** The bytes from `offset` on; fewer than `length` only at the end of the file. */
export type ReadRange = (offset: number, length: number) => Promise<Buffer>

export interface ZipEntry {
  /** As in the directory; Windows may have written backslashes. */
  name: string
  /** Of the name, in the encoding of the file. */
  nameBytes: number
  compressionMethod: number
  isEncrypted: boolean
  crc32: number
  compressedBytes: number
  /** As declared. */
  uncompressedBytes: number
  /** Of the local header, from the start of the file. */
  localHeaderOffset: number
}

/** A deck of 50 slides has about 300 entries of 100 bytes; this is more than 200 times as much. */
const maxDirectoryBytes = 8 * 1024 * 1024
const directoryHeaderBytes = 46
const minLocalHeaderBytes = 30
const endRecordBytes = 22
const maxCommentBytes = 65_535
const zip64LocatorBytes = 20
const zip64EndRecordBytes = 56
const unknown32 = 0xffffffff
const unknown16 = 0xffff

/**
 * The entries by lower-case name: names in an Office package don't differ by case alone. Throws
 * InvalidFile. `read` returns exactly as many bytes as requested.
 */
export async function readZipDirectory(
  sizeBytes: number,
  read: ReadRange,
): Promise<Map<string, ZipEntry>> {
  const entries = await readZipEntries(sizeBytes, read)
  return new Map(entries.map((entry) => [entry.name.toLowerCase(), entry]))
}

/** All entries, also those of the same name. Throws InvalidFile. */
export async function readZipEntries(
  sizeBytes: number,
  read: ReadRange,
  maxBytes = maxDirectoryBytes,
): Promise<ZipEntry[]> {
  const { entryCount, directoryBytes, directoryOffset } = await readEndRecord(sizeBytes, read)
  if (directoryBytes > maxBytes)
    refuseFile(`has a central directory over ${maxBytes / 1024 / 1024} MiB`)
  const directory = await read(directoryOffset, directoryBytes)
  const entries: ZipEntry[] = []
  let at = 0
  while (at < directory.length) {
    const nameStart = at + directoryHeaderBytes
    if (nameStart > directory.length || directory.readUInt32LE(at) !== 0x02014b50)
      refuseFile('has a damaged central directory')
    const nameEnd = nameStart + directory.readUInt16LE(at + 28)
    const extraEnd = nameEnd + directory.readUInt16LE(at + 30)
    const next = extraEnd + directory.readUInt16LE(at + 32)
    if (next > directory.length) refuseFile('has a damaged central directory')
    const entry = parseEntry(
      directory.subarray(at, nameStart),
      directory.subarray(nameEnd, extraEnd),
    )
    const minEnd = entry.localHeaderOffset + minLocalHeaderBytes + entry.compressedBytes
    if (minEnd > directoryOffset) refuseFile('has an entry outside its bounds')
    const name = directory.toString('utf8', nameStart, nameEnd)
    entries.push({ name, nameBytes: nameEnd - nameStart, ...entry })
    at = next
  }
  if (entries.length !== entryCount)
    refuseFile(`has ${entries.length} entries, but declares ${entryCount}`)
  return entries
}

function parseEntry(header: Buffer, extra: Buffer): Omit<ZipEntry, 'name' | 'nameBytes'> {
  const sizes = {
    uncompressed: header.readUInt32LE(24),
    compressed: header.readUInt32LE(20),
    offset: header.readUInt32LE(42),
  }
  // Values of 4 GiB and more are in the ZIP64 extra field: in this order, and only those that the
  // header marks as unknown.
  const zip64 = findZip64Field(extra)
  let at = 0
  for (const name of ['uncompressed', 'compressed', 'offset'] as const) {
    if (sizes[name] !== unknown32 || zip64 === undefined) continue
    if (at + 8 > zip64.length) refuseFile('has a damaged central directory')
    sizes[name] = Number(zip64.readBigUInt64LE(at))
    at += 8
  }
  return {
    compressionMethod: header.readUInt16LE(10),
    isEncrypted: (header.readUInt16LE(8) & 1) === 1,
    crc32: header.readUInt32LE(16),
    compressedBytes: sizes.compressed,
    uncompressedBytes: sizes.uncompressed,
    localHeaderOffset: sizes.offset,
  }
}

function findZip64Field(extra: Buffer): Buffer | undefined {
  let at = 0
  while (at + 4 <= extra.length) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, end)
    at = end
  }
  return undefined
}

interface EndRecord {
  entryCount: number
  directoryBytes: number
  directoryOffset: number
}

async function readEndRecord(sizeBytes: number, read: ReadRange): Promise<EndRecord> {
  const length = Math.min(sizeBytes, endRecordBytes + maxCommentBytes)
  const tail = await read(sizeBytes - length, length)
  const at = findEndRecord(tail)
  if (at === undefined) refuseFile('is not a complete ZIP archive')
  const endRecord = {
    entryCount: tail.readUInt16LE(at + 10),
    directoryBytes: tail.readUInt32LE(at + 12),
    directoryOffset: tail.readUInt32LE(at + 16),
  }
  const endOffset = sizeBytes - length + at
  const needsZip64 =
    endRecord.entryCount === unknown16 ||
    endRecord.directoryBytes === unknown32 ||
    endRecord.directoryOffset === unknown32
  const zip64 = needsZip64 ? await readZip64EndRecord(endOffset, read) : undefined
  const { record, recordOffset } = zip64 ?? { record: endRecord, recordOffset: endOffset }
  if (record.directoryOffset + record.directoryBytes > recordOffset)
    refuseFile('has a central directory outside its bounds')
  return record
}

/** The record whose comment ends at the end of the file: a comment may hold the same signature. */
function findEndRecord(tail: Buffer): number | undefined {
  for (let at = tail.length - endRecordBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== 0x06054b50) continue
    if (at + endRecordBytes + tail.readUInt16LE(at + 20) === tail.length) return at
  }
  return undefined
}

/**
 * A locator just before the end record points to the ZIP64 end record, which has 64-bit numbers.
 * Undefined when there is no locator.
 */
async function readZip64EndRecord(
  endOffset: number,
  read: ReadRange,
): Promise<{ record: EndRecord; recordOffset: number } | undefined> {
  if (endOffset < zip64LocatorBytes) return undefined
  const locator = await read(endOffset - zip64LocatorBytes, zip64LocatorBytes)
  if (locator.readUInt32LE(0) !== 0x07064b50) return undefined
  const recordOffset = Number(locator.readBigUInt64LE(8))
  if (recordOffset + zip64EndRecordBytes > endOffset) refuseFile('has a damaged ZIP64 end record')
  const zip64 = await read(recordOffset, zip64EndRecordBytes)
  if (zip64.readUInt32LE(0) !== 0x06064b50) refuseFile('has a damaged ZIP64 end record')
  const record = {
    entryCount: Number(zip64.readBigUInt64LE(32)),
    directoryBytes: Number(zip64.readBigUInt64LE(40)),
    directoryOffset: Number(zip64.readBigUInt64LE(48)),
  }
  return { record, recordOffset }
}
