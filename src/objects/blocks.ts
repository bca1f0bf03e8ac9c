// A stream cut into blocks of one size, as a multipart upload wants them. Measured and bounded on
// the way: nothing is held but two blocks, so that one is filled while the other is sent, and no
// source can make a reader wait for ever.

import type { Readable } from 'node:stream'
import { anySignal, raceSignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import { rejectFile } from './zip-directory.ts'

export interface BlockOptions {
  blockBytes: number
  maxBytes: number
  /** How long the source may be silent. */
  idleMs: number
  signal: AbortSignal
  /** Every piece as it comes: what is summed up bit by bit holds up nothing else. */
  onBytes?: (bytes: Buffer) => void
}

export interface Block {
  /** Valid until the next block but one is asked for: the memory is used again. */
  bytes: Buffer
  isLast: boolean
}

/**
 * At least one block, none of them empty; an empty source is refused, like one over `maxBytes`,
 * with UPSTREAM_ERROR `bad-file`. A silent one is UPSTREAM_TIMEOUT; errors of the source pass as
 * they are. The source is destroyed in the end, whatever happens.
 */
export async function* blocksOf(
  body: Readable,
  { blockBytes, maxBytes, idleMs, signal, onBytes }: BlockOptions,
): AsyncGenerator<Block> {
  let block: Buffer = Buffer.allocUnsafeSlow(blockBytes)
  let other: Buffer | undefined
  const source = body[Symbol.asyncIterator]()
  const idle = new AbortController()
  const ends = anySignal(signal, idle.signal)
  let filled = 0
  let total = 0
  try {
    for (;;) {
      const timer = setTimeout(
        () => idle.abort(new Problem('UPSTREAM_TIMEOUT', { failure: 'fault' })),
        idleMs,
      )
      const { value, done } = await raceSignal(source.next(), ends).finally(() =>
        clearTimeout(timer),
      )
      if (done) break
      let chunk = toBuffer(value)
      total += chunk.length
      if (total > maxBytes) rejectFile('is too large')
      onBytes?.(chunk)
      while (chunk.length > 0) {
        // Handed out only when more is known to follow, so that the last one can be told.
        if (filled === blockBytes) {
          yield { bytes: block, isLast: false }
          ;[block, other] = [other ?? Buffer.allocUnsafeSlow(blockBytes), block]
          filled = 0
        }
        const taken = chunk.copy(block, filled)
        filled += taken
        chunk = chunk.subarray(taken)
      }
    }
    if (total === 0) rejectFile('is empty')
    yield { bytes: block.subarray(0, filled), isLast: true }
  } finally {
    body.destroy()
  }
}

function toBuffer(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk
  if (chunk instanceof Uint8Array)
    return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  return Buffer.from(String(chunk))
}
