// Reads within a file of known size: a range outside of it is refused, and none comes back short.

import { refuseFile } from './invalid-file.ts'
import type { ReadRange } from './zip-directory.ts'

/** The returned function throws InvalidFile. Errors of `readRange` pass unchanged. */
export function exactReads(readRange: ReadRange, sizeBytes: number): ReadRange {
  return async (offset, length) => {
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > sizeBytes)
      refuseFile('points outside its bounds')
    if (length === 0) return Buffer.alloc(0)
    const bytes = await readRange(offset, length)
    return bytes.length === length ? bytes : refuseFile('is shorter than declared')
  }
}
