// Receives one file: recognised, checked, scanned, and stored under a key that was recorded before.
// A file of one block is judged before it is stored, a larger one from the store, in bounded
// memory.

import { createHash, randomUUID } from 'node:crypto'
import { createLimiter } from '../async/limiter.ts'
import { type SourceType, sourceExtensions } from '../contract/source.ts'
import type { Database } from '../database/connection.ts'
import { recordSourceUpload } from '../database/sources.ts'
import { type BlockPool, pooledBlocks } from '../objects/block-pool.ts'
import type { Block } from '../objects/blocks.ts'
import { exactReads } from '../objects/exact-reads.ts'
import { sourceKey } from '../objects/keys.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { ReadRange } from '../objects/zip-directory.ts'
import type { Scan } from './clamd.ts'
import { guessType, judgeFile } from './judge.ts'
import { extensionOf, sourceName } from './source-name.ts'
import { createTextCheck } from './text-check.ts'

export interface ReceiveOptions {
  database: Pick<Database, 'query'>
  objects: Pick<ObjectStore, 'putBlocks' | 'readRange'>
  pool: BlockPool
  /** Undefined: files are not scanned. */
  scan: Scan | undefined
  maxSourceBytes: number
}

export interface ReceivedSource {
  id: string
  name: string
  contentType: SourceType
  sizeBytes: number
  sha256: string
  objectKey: string
}

export interface FileUpload {
  userId: string
  fileName: string
  body: AsyncIterable<Buffer>
  signal: AbortSignal
  /** Told of the key before anything is stored under it. */
  onKey: (objectKey: string) => void
}

/** What is read at once from the store, for a scan. */
const rangeBytes = 1024 * 1024
/** Each judgement may hold some MiB. */
const maxJudgements = 4
const headBytes = 64 * 1024

interface Content {
  sizeBytes: number
  read: ReadRange
}

export type ReceiveFile = ReturnType<typeof createReceiveFile>

export function createReceiveFile(options: ReceiveOptions) {
  const { database, objects, pool, scan, maxSourceBytes } = options
  const judgements = createLimiter(maxJudgements)

  /**
   * @throws InvalidFile for a file that cannot be used; Problem UNSUPPORTED_MEDIA_TYPE,
   * PAYLOAD_TOO_LARGE, SOURCE_REJECTED, SCANNER_UNAVAILABLE, STORAGE_UNAVAILABLE,
   * RATE_LIMIT_EXCEEDED; errors of the body
   */
  return async function receiveFile(upload: FileUpload): Promise<ReceivedSource> {
    const { userId, body, signal } = upload
    const id = randomUUID()
    const name = sourceName(upload.fileName)
    const extension = extensionOf(name)
    const hash = createHash('sha256')
    const text = createTextCheck()
    const onBytes = (bytes: Buffer) => {
      hash.update(bytes)
      text.add(bytes)
    }
    const blocks = pooledBlocks(body, { pool, maxBytes: maxSourceBytes, signal, onBytes })

    const judge = (head: Buffer, { sizeBytes, read }: Content) =>
      judgements.run(signal, async () => {
        const exact = exactReads(read, sizeBytes)
        if (scan) await scan(() => chunksOf({ sizeBytes, read: exact }), signal)
        return judgeFile({ head, sizeBytes, read: exact, text: text.finish(), extension })
      })

    async function record(type: SourceType | undefined): Promise<string> {
      const keyExtension = type && sourceExtensions[type]
      const key = sourceKey({ userId, id, extension: keyExtension })
      await recordSourceUpload(database, key)
      upload.onKey(key)
      return key
    }

    async function receive(first: Block): Promise<Omit<ReceivedSource, 'id' | 'name' | 'sha256'>> {
      const { bytes, isLast } = first
      const head = Buffer.from(bytes.subarray(0, headBytes))
      if (isLast) {
        const content = { sizeBytes: bytes.length, read: readerOf(bytes) }
        const contentType = await judge(head, content)
        const objectKey = await record(contentType)
        await objects.putBlocks({ key: objectKey, contentType, blocks: only(first), signal })
        return { contentType, sizeBytes: bytes.length, objectKey }
      }
      // A file that can never be taken is refused here, before the rest of it arrives.
      const likelyType = await guessType(head, { extension, text: text.verdict() })
      const objectKey = await record(likelyType)
      const stored = await objects.putBlocks({
        key: objectKey,
        contentType: likelyType ?? 'application/octet-stream',
        blocks: startingWith(first, blocks),
        signal,
      })
      const { sizeBytes } = stored
      const contentType = await judge(head, { sizeBytes, read: storeReader(objectKey, stored) })
      return { contentType, sizeBytes, objectKey }
    }

    /** The end of the file is in memory: most checks need no more than it. */
    function storeReader(
      key: string,
      { sizeBytes, tail }: { sizeBytes: number; tail: Buffer },
    ): ReadRange {
      const tailStart = sizeBytes - tail.length
      return async (offset, length) =>
        offset >= tailStart
          ? tail.subarray(offset - tailStart, offset - tailStart + length)
          : objects.readRange({ key, offset, length, signal })
    }

    try {
      const first = await blocks.next()
      if (first.done) throw new Error('A file has at least one block.')
      const received = await receive(first.value)
      return { id, name, ...received, sha256: hash.digest('hex') }
    } finally {
      await blocks.return(undefined)
    }
  }
}

const readerOf =
  (bytes: Buffer): ReadRange =>
  async (offset, length) =>
    bytes.subarray(offset, offset + length)

async function* only(block: Block) {
  yield block
}

async function* startingWith(first: Block, rest: AsyncIterable<Block>) {
  yield first
  yield* rest
}

async function* chunksOf({ sizeBytes, read }: Content): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < sizeBytes; offset += rangeBytes)
    yield read(offset, Math.min(rangeBytes, sizeBytes - offset))
}
