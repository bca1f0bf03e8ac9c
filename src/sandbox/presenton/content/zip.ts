/**
 * ZIP archives as a map of entry names to contents.
 */

import JSZip from 'jszip'

export type Archive = Map<string, Buffer>

/** Rejects when the archive is incomplete or an entry is damaged. */
export async function readZip(bytes: Buffer): Promise<Archive> {
  const { files } = await JSZip.loadAsync(bytes, { checkCRC32: true })
  const archive: Archive = new Map()
  for (const file of Object.values(files))
    if (!file.dir) archive.set(file.name, await file.async('nodebuffer'))
  return archive
}

/** The same entries give the same bytes: every entry has the same date. */
export function writeZip(archive: Archive): Promise<Buffer> {
  const zip = new JSZip()
  const options = { date: new Date(Date.UTC(1980, 0, 1)), createFolders: false }
  for (const [name, content] of archive) zip.file(name, content, options)
  return zip.generateAsync({ type: 'nodebuffer', compression: 'DEFLATE' })
}
