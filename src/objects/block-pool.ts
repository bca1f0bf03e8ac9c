// The memory of uploads from users: a store takes no parts under 5 MiB, so fifty uploads with a
// part each would hold 250 MiB. They share a few blocks instead. An upload without a block is not
// read, and the sender who fills a block slowest loses it when others have waited for long.

import { raceSignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import type { Block } from './blocks.ts'
import { refuseFile } from './invalid-file.ts'

/** The smallest part that S3 accepts. */
export const pooledBlockBytes = 5 * 1024 * 1024
/** A smaller file needs no block. */
const smallBytes = 64 * 1024

const defaultLimits = {
  blocks: 6,
  /** How long an upload waits before a slow one loses its block. */
  patienceMs: 10_000,
  /** A sender that fills a block at this rate keeps it. */
  safeBytesPerSecond: 256 * 1024,
}

interface Holder {
  block: Buffer
  filled: number
  sinceMs: number
  /** The block is full, or the file at its end: its upload no longer waits for its sender. */
  isFilled: boolean
  evict: (problem: Problem) => void
}

export type BlockPool = ReturnType<typeof createBlockPool>

export function createBlockPool({
  now = () => performance.now(),
  ...given
}: Partial<typeof defaultLimits> & { now?: () => number } = {}) {
  const limits = { ...defaultLimits, ...given }
  const free: Buffer[] = []
  let allocated = 0
  const holders = new Set<Holder>()
  const waiting: ((block: Buffer) => void)[] = []

  function take(): Buffer | undefined {
    const block = free.pop()
    if (block || allocated >= limits.blocks) return block
    allocated += 1
    return Buffer.allocUnsafeSlow(pooledBlockBytes)
  }

  /** Of the block so far. */
  const rateOf = ({ filled, sinceMs }: Holder) => (filled * 1000) / Math.max(1, now() - sinceMs)

  function evictSlowest(): void {
    const slow = [...holders].filter(
      (holder) =>
        !holder.isFilled &&
        now() - holder.sinceMs >= limits.patienceMs &&
        rateOf(holder) < limits.safeBytesPerSecond,
    )
    const slowest = slow.sort((a, b) => rateOf(a) - rateOf(b))[0]
    slowest?.evict(new Problem('RATE_LIMIT_EXCEEDED', { retryAfterSeconds: 30 }))
  }

  async function wait(signal: AbortSignal): Promise<Buffer> {
    const patience = setInterval(evictSlowest, limits.patienceMs)
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        function giveUp() {
          waiting.splice(waiting.indexOf(receive), 1)
          reject(signal.reason)
        }
        function receive(block: Buffer) {
          signal.removeEventListener('abort', giveUp)
          resolve(block)
        }
        waiting.push(receive)
        signal.addEventListener('abort', giveUp, { once: true })
      })
    } finally {
      clearInterval(patience)
    }
  }

  return {
    /** A block, as soon as one is free. `evict` is called when its holder has to give it back. */
    async acquire(signal: AbortSignal, evict: Holder['evict']): Promise<Holder> {
      signal.throwIfAborted()
      const block = take() ?? (await wait(signal))
      const holder = { block, filled: 0, sinceMs: now(), isFilled: false, evict }
      holders.add(holder)
      return holder
    },
    release(holder: Holder): void {
      if (!holders.delete(holder)) return
      const next = waiting.shift()
      if (next) next(holder.block)
      else free.push(holder.block)
    },
  }
}

export interface PooledBlockOptions {
  pool: BlockPool
  /** A longer file is refused with PAYLOAD_TOO_LARGE. */
  maxBytes: number
  signal: AbortSignal
  /** Called for every chunk as it arrives. */
  onBytes: (bytes: Buffer) => void
}

/**
 * Cuts a file into blocks of 5 MiB, the last one shorter. A block is valid until the next one is
 * requested.
 *
 * @throws InvalidFile for an empty file, Problem PAYLOAD_TOO_LARGE, RATE_LIMIT_EXCEEDED for a
 * sender that lost its block
 */
export async function* pooledBlocks(
  source: AsyncIterable<Buffer>,
  { pool, maxBytes, signal, onBytes }: PooledBlockOptions,
): AsyncGenerator<Block> {
  const small: Buffer[] = []
  let holder: Holder | undefined
  let total = 0
  const evicted = new AbortController()
  const chunks = source[Symbol.asyncIterator]()
  const acquire = () => pool.acquire(signal, (problem) => evicted.abort(problem))
  try {
    for (;;) {
      const { value, done } = await raceSignal(chunks.next(), evicted.signal)
      if (done) break
      let chunk = value
      total += chunk.length
      if (total > maxBytes) throw tooLarge(maxBytes)
      onBytes(chunk)
      if (!holder && total <= smallBytes) {
        small.push(Buffer.from(chunk))
        continue
      }
      if (!holder) {
        holder = await acquire()
        for (const earlier of small.splice(0)) fill(holder, earlier)
      }
      while (chunk.length > 0) {
        // A full block is yielded only when more bytes follow, so that the last one is marked.
        if (holder.filled === pooledBlockBytes) {
          holder.isFilled = true
          yield { bytes: holder.block, isLast: false }
          const full = holder
          holder = undefined
          pool.release(full)
          holder = await acquire()
        }
        chunk = chunk.subarray(fill(holder, chunk))
      }
    }
    if (total === 0) refuseFile('is empty')
    if (!holder) return yield { bytes: Buffer.concat(small), isLast: true }
    holder.isFilled = true
    yield { bytes: holder.block.subarray(0, holder.filled), isLast: true }
  } finally {
    if (holder) pool.release(holder)
  }
}

function fill(holder: Holder, chunk: Buffer): number {
  const copied = chunk.copy(holder.block, holder.filled)
  holder.filled += copied
  return copied
}

function tooLarge(maxBytes: number): Problem {
  const message = `is larger than ${maxBytes / 1024 / 1024} MiB`
  return new Problem('PAYLOAD_TOO_LARGE', { errors: [{ path: '', message }] })
}
