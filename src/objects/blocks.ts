// Cuts a stream into blocks of equal size, as a multipart upload needs them. At most two blocks are
// in memory: one is filled while the other is sent. Size and silence of the source are limited.

import type { Readable } from 'node:stream'
import { anySignal, raceSignal } from '../async/signals.ts'
import { refuseFile, SourceTimeout } from './invalid-file.ts'

export interface BlockOptions {
  blockBytes: number
  /** A longer source is refused. */
  maxBytes: number
  /** How long the source may send nothing. */
  idleMs: number
  signal: AbortSignal
  /** Called for every chunk as it arrives, to spread the cost of hashing. */
  onBytes?: (bytes: Buffer) => void
}

export interface Block {
  /** Valid until the block after the next one is requested: the memory is reused. */
  bytes: Buffer
  isLast: boolean
}

/**
 * Yields at least one block, none of them empty. Throws InvalidFile for an empty source and for one
 * over `maxBytes`, SourceTimeout for a silent one, and errors of the source as they are. Always
 * destroys the source.
 */
export async function* blocksOf(
  body: Readable,
  { blockBytes, maxBytes, idleMs, signal, onBytes }: BlockOptions,
): AsyncGenerator<Block> {
  let block: Buffer = Buffer.allocUnsafeSlow(blockBytes)
  let spare: Buffer | undefined
  const source = body[Symbol.asyncIterator]()
  const idle = new AbortController()
  const abortOrIdle = anySignal(signal, idle.signal)
  let filled = 0
  let total = 0
  try {
    for (;;) {
      const timer = setTimeout(() => idle.abort(new SourceTimeout(idleMs)), idleMs)
      const { value, done } = await raceSignal(source.next(), abortOrIdle).finally(() =>
        clearTimeout(timer),
      )
      if (done) break
      let chunk = toBuffer(value)
      total += chunk.length
      if (total > maxBytes) refuseFile(`is larger than ${maxBytes} bytes`)
      onBytes?.(chunk)
      while (chunk.length > 0) {
        // A full block is yielded only when more bytes follow, so that the last one is marked.
        if (filled === blockBytes) {
          yield { bytes: block, isLast: false }
          ;[block, spare] = [spare ?? Buffer.allocUnsafeSlow(blockBytes), block]
          filled = 0
        }
        const copied = chunk.copy(block, filled)
        filled += copied
        chunk = chunk.subarray(copied)
      }
    }
    if (total === 0) refuseFile('is empty')
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
