// The table of contents of a ZIP file, which stands at its end: whoever finds it whole has a file
// that was written to its end. Every number in it is a claim of a stranger and checked before it is
// used.

import { Problem } from '../domain/problem.ts'

/** The bytes from `offset` on; fewer than `length` only at the end of the file. */
export type ReadRange = (offset: number, length: number) => Promise<Buffer>

export interface ZipEntry {
  method: number
  isEncrypted: boolean
  crc: number
  compressedBytes: number
  /** Of its local header. */
  offset: number
}

/** A deck of 50 slides has about 300 entries of 100 bytes; this leaves room for 200 times that. */
const maxDirectoryBytes = 8 * 1024 * 1024
const endRecordBytes = 22
const maxCommentBytes = 65_535
const unknown32 = 0xffffffff
const unknown16 = 0xffff

/** The entries by their name in lower case: names in a package don't differ by case alone. */
export async function readZipDirectory(
  sizeBytes: number,
  read: ReadRange,
): Promise<Map<string, ZipEntry>> {
  const { count, directoryBytes, directoryOffset } = await readEnd(sizeBytes, read)
  if (directoryBytes > maxDirectoryBytes) rejectFile('has a table of contents beyond all measure')
  const directory = await read(directoryOffset, directoryBytes)
  const entries = new Map<string, ZipEntry>()
  let at = 0
  let found = 0
  while (at < directory.length) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== 0x02014b50)
      rejectFile('has a broken table of contents')
    const nameEnd = at + 46 + directory.readUInt16LE(at + 28)
    const extraEnd = nameEnd + directory.readUInt16LE(at + 30)
    const next = extraEnd + directory.readUInt16LE(at + 32)
    if (next > directory.length) rejectFile('has a broken table of contents')
    const entry = entryOf(directory.subarray(at, at + 46), directory.subarray(nameEnd, extraEnd))
    // 30 bytes: the smallest local header.
    if (entry.offset + 30 + entry.compressedBytes > directoryOffset)
      rejectFile('has an entry that lies outside of it')
    entries.set(directory.toString('utf8', at + 46, nameEnd).toLowerCase(), entry)
    at = next
    found += 1
  }
  if (found !== count) rejectFile('has more or fewer entries than it says')
  return entries
}

function entryOf(header: Buffer, extra: Buffer): ZipEntry {
  const sizes = {
    plain: header.readUInt32LE(24),
    compressed: header.readUInt32LE(20),
    offset: header.readUInt32LE(42),
  }
  // Sizes of 4 GiB and more stand in an extra field, in this order, and only those that the header
  // leaves open.
  const wide = zip64Field(extra)
  let at = 0
  for (const name of ['plain', 'compressed', 'offset'] as const) {
    if (sizes[name] !== unknown32 || wide === undefined) continue
    if (at + 8 > wide.length) rejectFile('has a broken table of contents')
    sizes[name] = Number(wide.readBigUInt64LE(at))
    at += 8
  }
  return {
    method: header.readUInt16LE(10),
    isEncrypted: (header.readUInt16LE(8) & 1) === 1,
    crc: header.readUInt32LE(16),
    compressedBytes: sizes.compressed,
    offset: sizes.offset,
  }
}

function zip64Field(extra: Buffer): Buffer | undefined {
  let at = 0
  while (at + 4 <= extra.length) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, end)
    at = end
  }
  return undefined
}

interface End {
  count: number
  directoryBytes: number
  directoryOffset: number
}

async function readEnd(sizeBytes: number, read: ReadRange): Promise<End> {
  const length = Math.min(sizeBytes, endRecordBytes + maxCommentBytes)
  const tail = await read(sizeBytes - length, length)
  const at = findEndRecord(tail)
  if (at < 0) rejectFile('is not a ZIP that is whole to its end')
  const endOffset = sizeBytes - length + at
  const end = {
    count: tail.readUInt16LE(at + 10),
    directoryBytes: tail.readUInt32LE(at + 12),
    directoryOffset: tail.readUInt32LE(at + 16),
  }
  const isWide =
    end.count === unknown16 || end.directoryBytes === unknown32 || end.directoryOffset === unknown32
  const { record, recordOffset } = (isWide && (await readWideEnd(endOffset, read))) || {
    record: end,
    recordOffset: endOffset,
  }
  if (record.directoryOffset + record.directoryBytes > recordOffset)
    rejectFile('has a table of contents that lies outside of it')
  return record
}

/**
 * The end record is the one whose comment ends where the file ends; a comment may hold the same
 * four bytes.
 */
function findEndRecord(tail: Buffer): number {
  for (let at = tail.length - endRecordBytes; at >= 0; at -= 1) {
    if (
      tail.readUInt32LE(at) === 0x06054b50 &&
      at + endRecordBytes + tail.readUInt16LE(at + 20) === tail.length
    )
      return at
  }
  return -1
}

/**
 * ZIP64: a locator of 20 bytes before the end record says where the record with the wide numbers
 * is. Undefined when there is none.
 */
async function readWideEnd(
  endOffset: number,
  read: ReadRange,
): Promise<{ record: End; recordOffset: number } | undefined> {
  if (endOffset < 20) return undefined
  const locator = await read(endOffset - 20, 20)
  if (locator.readUInt32LE(0) !== 0x07064b50) return undefined
  const recordOffset = Number(locator.readBigUInt64LE(8))
  if (recordOffset + 56 > endOffset) rejectFile('has a broken end')
  const wide = await read(recordOffset, 56)
  if (wide.readUInt32LE(0) !== 0x06064b50) rejectFile('has a broken end')
  const record = {
    count: Number(wide.readBigUInt64LE(32)),
    directoryBytes: Number(wide.readBigUInt64LE(40)),
    directoryOffset: Number(wide.readBigUInt64LE(48)),
  }
  return { record, recordOffset }
}

export function rejectFile(reason: string): never {
  throw new Problem('UPSTREAM_ERROR', {
    failure: 'bad-file',
    cause: new Error(`The file ${reason}`),
  })
}
