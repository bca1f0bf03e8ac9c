/**
 * Just enough of ZIP to open an archive and to write one: entries stored or deflated, below 4 GiB,
 * no encryption.
 */

import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib'

export type Archive = Map<string, Buffer>

const endMark = 0x06054b50
const entryMark = 0x02014b50
const fileMark = 0x04034b50

/** Throws on bytes that are no whole archive. */
export function readZip(bytes: Buffer): Archive {
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  if (end < 0) throw new Error('No end record: not a ZIP, or not whole')
  const archive: Archive = new Map()
  let at = bytes.readUInt32LE(end + 16)
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    if (bytes.readUInt32LE(at) !== entryMark) throw new Error('Broken directory')
    const [method, packed, offset] = [
      bytes.readUInt16LE(at + 10),
      bytes.readUInt32LE(at + 20),
      bytes.readUInt32LE(at + 42),
    ]
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      bytes.readUInt16LE(at + field),
    ) as [number, number, number]
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength)
    const data = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28)
    const body = bytes.subarray(data, data + packed)
    if (!name.endsWith('/'))
      archive.set(name, method === 8 ? inflateRawSync(body) : Buffer.from(body))
    at += 46 + nameLength + extraLength + commentLength
  }
  return archive
}

/** The same entries give the same bytes: no times are kept. */
export function writeZip(archive: Archive): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of archive) {
    const path = Buffer.from(name)
    const packed = deflateRawSync(content)
    const shared = Buffer.alloc(26)
    shared.writeUInt16LE(20, 0) // version needed
    shared.writeUInt16LE(0x0800, 2) // names are UTF-8
    shared.writeUInt16LE(8, 4) // deflated
    shared.writeUInt16LE(0x21, 8) // 1 January 1980
    shared.writeUInt32LE(crc32(content), 10)
    shared.writeUInt32LE(packed.length, 14)
    shared.writeUInt32LE(content.length, 18)
    shared.writeUInt16LE(path.length, 22)
    files.push(uint32(fileMark), shared, path, packed)
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(offset, 10)
    directory.push(uint32(entryMark), Buffer.from([20, 0]), shared, tail, path)
    offset += 30 + path.length + packed.length
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(endMark, 0)
  end.writeUInt16LE(archive.size, 8)
  end.writeUInt16LE(archive.size, 10)
  end.writeUInt32LE(size, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...files, ...directory, end])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
