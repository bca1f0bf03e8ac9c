// Compound files (MS-CFB) hold the old formats of Office, and encrypted files of the new ones:
// those have a stream `EncryptedPackage`. Only the first sectors of the directory are read.

import { InvalidFile } from '../objects/invalid-file.ts'
import type { ReadRange } from '../objects/zip-directory.ts'

const signature = Buffer.from('d0cf11e0a1b11ae1', 'hex')
const headerBytes = 512
const entryBytes = 128
/** An encrypted package has about ten entries; a sector of 512 bytes has four. */
const maxSectors = 32
/** Values above it mark the end of a chain, or sectors with a special use. */
const maxSector = 0xfffffff9

export function isCompoundFile(head: Buffer): boolean {
  return head.subarray(0, signature.length).equals(signature)
}

/** `read` returns exactly as many bytes as requested. A damaged file is not encrypted. */
export async function isEncryptedOffice(read: ReadRange): Promise<boolean> {
  try {
    return await hasEncryptedPackage(read)
  } catch (error) {
    if (error instanceof InvalidFile) return false
    throw error
  }
}

async function hasEncryptedPackage(read: ReadRange): Promise<boolean> {
  const header = await read(0, headerBytes)
  const shift = header.readUInt16LE(30)
  if (shift !== 9 && shift !== 12) return false
  const sectorBytes = 2 ** shift
  const offsetOf = (sector: number) => (sector + 1) * sectorBytes
  const sectorsPerTable = sectorBytes / 4
  let sector = header.readUInt32LE(48)
  for (let count = 0; sector <= maxSector && count < maxSectors; count += 1) {
    const entries = await read(offsetOf(sector), sectorBytes)
    for (let at = 0; at < sectorBytes; at += entryBytes) {
      if (nameAt(entries, at) === 'EncryptedPackage') return true
    }
    // The header names the first 109 sectors of the table that links sectors.
    const table = Math.floor(sector / sectorsPerTable)
    if (table >= 109) return false
    const tableSector = header.readUInt32LE(76 + 4 * table)
    if (tableSector > maxSector) return false
    const link = await read(offsetOf(tableSector) + 4 * (sector % sectorsPerTable), 4)
    sector = link.readUInt32LE(0)
  }
  return false
}

function nameAt(entries: Buffer, at: number): string {
  const bytes = Math.min(64, entries.readUInt16LE(at + 64))
  return entries.toString('utf16le', at, at + Math.max(0, bytes - 2))
}
