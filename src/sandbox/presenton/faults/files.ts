/**
 * Faults of GET on an exported file: what comes is not what was exported, or not whole.
 */

import { randomBytes } from 'node:crypto'
import type { Fault, FileSending } from './fault.ts'

const file = (send: (whole: Buffer) => FileSending): Fault => ({ kind: 'file', send })

const upTo = (whole: Buffer, share: number) => whole.subarray(0, Math.floor(whole.length * share))

export const fileFaults = {
  empty: file(() => ({ body: Buffer.alloc(0) })),
  /** Fewer bytes than announced, then the connection breaks. */
  short: file((whole) => ({ announced: whole.length, body: upTo(whole, 0.6), then: 'cut' })),
  /** Its beginning under a matching length: what a reader got while the file was written anew. */
  truncated: file((whole) => ({ body: upTo(whole, 0.6) })),
  garbage: file((whole) => ({ body: randomBytes(whole.length) })),
  /** Begins and ends well, rotten in the middle where its directory lies. */
  rotten: file((whole) => ({
    body: Buffer.concat([upTo(whole, 0.5), randomBytes(whole.length - upTo(whole, 0.5).length)]),
  })),
  html: file(() => ({ type: 'text/html', body: Buffer.from('<html>Sign in</html>') })),
  /** A whole ZIP, but no presentation. */
  'not-a-presentation': file(() => ({ body: emptyZip })),
  'no-length': file((whole) => ({ announced: null, body: whole })),
  'no-length-cut': file((whole) => ({ announced: null, body: upTo(whole, 0.6), then: 'cut' })),
  stall: file((whole) => ({ announced: whole.length, body: upTo(whole, 0.5), then: 'stall' })),
  /** Never ends: larger than any limit. */
  endless: file((whole) => ({ announced: null, body: whole, then: 'repeat' })),
  'announced-huge': file((whole) => ({ announced: 2 ** 40, body: whole, then: 'stall' })),
} as const satisfies Record<string, Fault>

/** The end record alone: a valid archive of nothing. */
const emptyZip = Buffer.concat([Buffer.from([0x50, 0x4b, 5, 6]), Buffer.alloc(18)])
