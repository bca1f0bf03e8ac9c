/**
 * Faults as data: where a fault applies and what happens there. The other files of this folder list
 * them by name.
 */

import type { Operation } from '../operation.ts'
import type { Reply } from '../reply.ts'
import type { Features } from '../shape.ts'

export type FaultContext = { operation: Operation; features: Features }

/** Pieces of a stream in order; `part` is one chunk or slide, `assets` one image event. */
export type FrameKind = 'head' | 'part' | 'assets' | 'tail' | 'complete'

export type Frame = { kind: FrameKind; text: string }

/**
 * What replaces a frame: bytes to write, `end` of the body, `cut` (close the connection), `stall`
 * (send nothing more), `drip` (from now on one byte per write).
 */
export type StreamStep = { write: string | Buffer } | 'end' | 'cut' | 'stall' | 'drip'

export type StreamFault = {
  kind: 'stream'
  frameKind: FrameKind
  /** Which frame of the kind, from 1, unless FaultOptions say `at`. */
  nth: number
  apply: (frame: Frame, context: FaultContext) => StreamStep[]
}

/** Changes how every frame is written. `open` starts one stream, `end` returns its last bytes. */
export type FramingFault = {
  kind: 'framing'
  open: () => { frame: (text: string) => StreamStep[]; end: () => StreamStep[] }
}

export type FileResponse = {
  status?: number
  type?: string
  /** Content-Length: null for none (chunked); by default the length of the body. */
  declaredBytes?: number | null
  body: Buffer
  afterBody?: 'end' | 'cut' | 'stall' | 'repeat'
}

export type Fault =
  /** Responds instead of the route; nothing is done. */
  | { kind: 'respond'; reply: (context: FaultContext) => Reply }
  /** Closes the connection before anything is done. */
  | { kind: 'reset' }
  /** Never responds, and nothing is done. */
  | { kind: 'hang' }
  /** The route does its work; then its reply is changed, lost, or cut in the middle. */
  | { kind: 'change-reply'; change: (reply: Reply) => Reply | 'lost' | 'half' }
  | StreamFault
  | FramingFault
  /** The model writes another number of outlines than requested. */
  | { kind: 'outlines'; count: (requested: number) => number }
  | { kind: 'file'; send: (exported: Buffer) => FileResponse }
