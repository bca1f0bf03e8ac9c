/**
 * Faults of GET on an exported file: the response is incomplete, or not what was exported.
 */

import { randomBytes } from 'node:crypto'
import type { Fault, FileResponse } from './fault.ts'

const file = (send: (exported: Buffer) => FileResponse): Fault => ({ kind: 'file', send })

const startOf = (bytes: Buffer, share: number) =>
  bytes.subarray(0, Math.floor(bytes.length * share))

export const fileFaults = {
  empty: file(() => ({ body: Buffer.alloc(0) })),
  /** Fewer bytes than declared, then the connection closes. */
  short: file((exported) => ({
    declaredBytes: exported.length,
    body: startOf(exported, 0.6),
    afterBody: 'cut',
  })),
  /** The first part with a matching length, as read while the file is written again. */
  truncated: file((exported) => ({ body: startOf(exported, 0.6) })),
  garbage: file((exported) => ({ body: randomBytes(exported.length) })),
  /** Starts correctly; random bytes in its second half, where the directory of a ZIP is. */
  damaged: file((exported) => {
    const start = startOf(exported, 0.5)
    return { body: Buffer.concat([start, randomBytes(exported.length - start.length)]) }
  }),
  html: file(() => ({ type: 'text/html', body: Buffer.from('<html>Sign in</html>') })),
  /** A complete ZIP archive that is not a presentation. */
  'not-a-presentation': file(() => ({ body: emptyZip })),
  'no-length': file((exported) => ({ declaredBytes: null, body: exported })),
  'no-length-cut': file((exported) => ({
    declaredBytes: null,
    body: startOf(exported, 0.6),
    afterBody: 'cut',
  })),
  stall: file((exported) => ({
    declaredBytes: exported.length,
    body: startOf(exported, 0.5),
    afterBody: 'stall',
  })),
  /** Never ends, so it exceeds any limit. */
  endless: file((exported) => ({ declaredBytes: null, body: exported, afterBody: 'repeat' })),
  'announced-huge': file((exported) => ({
    declaredBytes: 2 ** 40,
    body: exported,
    afterBody: 'stall',
  })),
} as const satisfies Record<string, Fault>

/** Only the end record: a valid archive without entries. */
const emptyZip = Buffer.concat([Buffer.from([0x50, 0x4b, 5, 6]), Buffer.alloc(18)])
