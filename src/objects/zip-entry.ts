// The content of one small entry of a ZIP file, within a bound before and after inflation.

import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'
import { refuseFile } from './invalid-file.ts'
import type { ReadRange, ZipEntry } from './zip-directory.ts'

const inflate = promisify(inflateRaw)

/** Throws InvalidFile for an encrypted, damaged or too large entry. */
export async function readZipEntry(
  entry: ZipEntry,
  read: ReadRange,
  maxBytes: number,
): Promise<Buffer> {
  const compressed = await readCompressed(entry, read, maxBytes)
  const content = await decompress(compressed, entry, maxBytes)
  return crc32(content) === entry.crc32 ? content : refuseFile(`has a damaged ${entry.name}`)
}

/** Its bytes as they are in the file. */
export async function readCompressed(
  { name, localHeaderOffset, compressedBytes, isEncrypted }: ZipEntry,
  read: ReadRange,
  maxBytes: number,
): Promise<Buffer> {
  if (isEncrypted) refuseFile(`has an encrypted ${name}`)
  if (compressedBytes > maxBytes) refuseFile(`has a ${name} over ${maxBytes / 1024 / 1024} MiB`)
  const header = await read(localHeaderOffset, 30)
  if (header.readUInt32LE(0) !== 0x04034b50) refuseFile('has a damaged local header')
  const nameAndExtraBytes = header.readUInt16LE(26) + header.readUInt16LE(28)
  return read(localHeaderOffset + 30 + nameAndExtraBytes, compressedBytes)
}

async function decompress(
  bytes: Buffer,
  { name, compressionMethod: method }: ZipEntry,
  maxBytes: number,
): Promise<Buffer> {
  if (method === 0) return bytes
  if (method !== 8) refuseFile(`uses the unsupported compression method ${method}`)
  try {
    return await inflate(bytes, { maxOutputLength: maxBytes })
  } catch {
    refuseFile(`has a ${name} that is damaged or over ${maxBytes / 1024 / 1024} MiB`)
  }
}
