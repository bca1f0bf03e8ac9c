// A PPTX of any size, made while it is sent: a ZIP with one large uncompressed entry, a valid
// [Content_Types].xml, and the part that this names. It needs no memory, since the large entry
// repeats one block of bytes.
import type { ServerResponse } from 'node:http'
import { crc32 } from 'node:zlib'

export interface LargeFile {
  /** Size of the large entry. */
  bytes: number
}

const block = Buffer.alloc(256 * 1024, 'a deck of some size, ')

const contentTypes = Buffer.from(
  `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/ppt/presentation.xml" ContentType="application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"/></Types>`,
)

interface Entry {
  name: string
  size: number
  crc: number
}

/** The bytes of the file before and after those of the large entry. */
export function encodeHeadAndTail({ bytes }: LargeFile): { head: Buffer; tail: Buffer } {
  const small = [
    { name: '[Content_Types].xml', content: contentTypes },
    { name: 'ppt/presentation.xml', content: Buffer.from('<presentation/>') },
  ]
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  const add = (entry: Entry, content?: Buffer) => {
    const local = Buffer.concat([header(0x04034b50, entry), Buffer.from(entry.name)])
    directory.push(directoryEntry(entry, offset))
    parts.push(...(content ? [local, content] : [local]))
    offset += local.length + entry.size
  }
  for (const { name, content } of small)
    add({ name, size: content.length, crc: crc32(content) }, content)
  // Nothing checks this CRC. The copy's own checksum proves that every byte was copied.
  add({ name: 'ppt/media/film.bin', size: bytes, crc: 0 })
  const list = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(list.length, 12)
  end.writeUInt32LE(offset, 16)
  return { head: Buffer.concat(parts), tail: Buffer.concat([list, end]) }
}

function header(signature: number, { name, size, crc }: Entry): Buffer {
  const bytes = Buffer.alloc(30)
  bytes.writeUInt32LE(signature, 0)
  bytes.writeUInt16LE(20, 4)
  bytes.writeUInt16LE(0x21, 12)
  bytes.writeUInt32LE(crc, 14)
  bytes.writeUInt32LE(size, 18)
  bytes.writeUInt32LE(size, 22)
  bytes.writeUInt16LE(Buffer.byteLength(name), 26)
  return bytes
}

function directoryEntry(entry: Entry, offset: number): Buffer {
  const local = header(0, entry)
  const bytes = Buffer.alloc(46)
  bytes.writeUInt32LE(0x02014b50, 0)
  bytes.writeUInt16LE(20, 4)
  local.copy(bytes, 6, 4, 30)
  bytes.writeUInt32LE(offset, 42)
  return Buffer.concat([bytes, Buffer.from(entry.name)])
}

export function sendLargeFile(response: ServerResponse, file: LargeFile): void {
  const { head, tail } = encodeHeadAndTail(file)
  response.writeHead(200, {
    'content-type': 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
    'content-length': head.length + file.bytes + tail.length,
  })
  response.write(head)
  let remainingBytes = file.bytes
  const sendMore = () => {
    for (let acceptsMore = true; acceptsMore && remainingBytes > 0; ) {
      const part = remainingBytes < block.length ? block.subarray(0, remainingBytes) : block
      remainingBytes -= part.length
      acceptsMore = response.write(part)
    }
    if (remainingBytes > 0) response.once('drain', sendMore)
    else response.end(tail)
  }
  sendMore()
}
