/**
 * The images that slides refer to: small, but valid files of their type.
 */

import { readFileSync } from 'node:fs'
import { crc32, deflateSync } from 'node:zlib'

export const placeholderSvg = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24"><path fill="#7C3AED" ' +
    'd="M4 20V10h4v10H4zm6 0V4h4v16h-4zm6 0v-7h4v7h-4z"/></svg>\n',
)

/** A landscape of 256 by 144 pixels: a flat one would look like a mistake in a deck. */
export const placeholderJpeg = readFileSync(new URL('placeholder.jpg', import.meta.url))

/** 16 by 9 pixels. */
export const placeholderPng = png(16, 9, [0xed, 0xe9, 0xfe])

function png(width: number, height: number, color: readonly number[]): Buffer {
  const row = Buffer.from([0, ...Array(width).fill(color).flat()])
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8) // 8 bits, RGB
  const pixels = deflateSync(Buffer.concat(Array(height).fill(row)))
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  checksum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, checksum])
}
