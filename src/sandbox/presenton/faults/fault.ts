/**
 * What can go wrong, as data: a fault says where it strikes and what happens there. The tables
 * beside this file name them.
 */

import type { Operation } from '../operation.ts'
import type { Reply } from '../reply.ts'
import type { Features } from '../shape.ts'

export type Scene = { operation: Operation; features: Features }

/** Pieces of a stream: its opening, each chunk or slide, pictures, its closing words, the end. */
export type FrameKind = 'head' | 'part' | 'assets' | 'tail' | 'complete'

export type Frame = { kind: FrameKind; text: string }

/**
 * What is done in a frame's stead. `cut` destroys the connection, `stall` sends nothing more, `end`
 * ends the body well.
 */
export type Step = { write: string | Buffer } | 'end' | 'cut' | 'stall' | 'drip'

export type StreamFault = {
  kind: 'stream'
  /** Which frame is struck: the nth of the kind, from 1; `at` of the play goes before `nth`. */
  on: FrameKind
  nth: number
  strike: (frame: Frame, scene: Scene) => Step[]
}

/**
 * Changes how every frame of a stream is put on the wire; `open` is called for each stream, `end`
 * gives what is still held back.
 */
export type FramingFault = {
  kind: 'framing'
  open: () => { frame: (text: string) => Step[]; end: () => Step[] }
}

export type FileSending = {
  status?: number
  type?: string
  /** Content-Length; null: none, in chunks. The body's own length when absent. */
  announced?: number | null
  body: Buffer
  /** After the body. */
  then?: 'end' | 'cut' | 'stall' | 'repeat'
}

export type Fault =
  /** Answered in the route's stead; nothing is done. */
  | { kind: 'answer'; reply: (scene: Scene) => Reply }
  /** The connection is destroyed, or held for ever, before anything is done. */
  | { kind: 'reset' }
  | { kind: 'hang' }
  /** All is done, but the answer is another, or lost, or cut in the middle. */
  | { kind: 'reply'; change: (reply: Reply) => Reply | 'lost' | 'half' }
  | StreamFault
  | FramingFault
  /** The model writes another number of outlines than asked. */
  | { kind: 'outlines'; count: (asked: number) => number }
  | { kind: 'file'; send: (whole: Buffer) => FileSending }
