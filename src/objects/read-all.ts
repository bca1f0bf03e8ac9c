// Reads a requested range of an object from the response of the store.

import type { Readable } from 'node:stream'

/**
 * A store or a proxy may ignore the range and send the whole object: then the bytes before the
 * range are skipped, and those after it are not read.
 */
export async function readAll(response: Readable, offset: number, length: number): Promise<Buffer> {
  const { statusCode } = response as { statusCode?: number }
  let skippedBytes = statusCode === 206 ? 0 : offset
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    const wanted = (chunk as Buffer).subarray(skippedBytes)
    skippedBytes -= (chunk as Buffer).length - wanted.length
    chunks.push(wanted)
    bytes += wanted.length
    if (statusCode === 206 && bytes > length) throw new Error(tooManyBytes)
    if (bytes >= length && statusCode !== 206) break
  }
  return Buffer.concat(chunks).subarray(0, length)
}

const tooManyBytes = 'The store sent more bytes than requested.'
