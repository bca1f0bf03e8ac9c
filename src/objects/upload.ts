// Brings a stream into the store, whole or not at all: in one PUT where its length is known or
// small, else in parts of 8 MiB. A PUT that breaks off leaves nothing to take back, and no store
// has to put it together. Written without the client's own putObject, which takes 528 MB for a
// stream of unknown length; one that fails on the way hangs it or kills the process.

import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { anySignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import { type Block, blocksOf } from './blocks.ts'
import type { PutTarget, StoreCalls } from './calls.ts'
import type { PutRequest } from './put-request.ts'
import { rejectFile } from './zip-directory.ts'

/** Stores want parts of at least 5 MiB, and take 10,000 of them. */
export const partBytes = 8 * 1024 * 1024
/** What goes out of one PUT at a time: enough to keep the store busy while the next is read. */
const pieceBytes = 1024 * 1024
/** The most that S3 takes in one PUT. */
const maxPutBytes = 5 * 1024 * 1024 * 1024
const tailBytes = 64 * 1024

export interface UploadTarget {
  calls: StoreCalls
  bucket: string
  key: string
  contentType: string
  /** Where it is known: a source that turns out otherwise is refused. */
  sizeBytes: number | undefined
}

export interface UploadLimits {
  maxBytes: number
  signal: AbortSignal
  /** How long the source may be silent. */
  sourceIdleMs: number
  /** For one part or piece, or for putting parts together. */
  partMs: number
  /** For everything. */
  totalMs: number
  /**
   * Told of an upload that was begun and must be taken back; never awaited here, so that a failure
   * is known at once.
   */
  onUnfinished: (uploadId: string) => void
}

export interface Uploaded {
  sizeBytes: number
  /** In hex. */
  sha256: string
  /** The last 64 KiB at most. */
  tail: Buffer
}

export async function upload(
  body: Readable,
  target: UploadTarget,
  limits: UploadLimits,
): Promise<Uploaded> {
  const total = AbortSignal.timeout(limits.totalMs)
  // Ends the reading of a silent source when the sending fails, and what is being sent when the
  // reading does.
  const left = new AbortController()
  const signal = anySignal(limits.signal, total, left.signal)
  const isStreamed =
    target.sizeBytes !== undefined &&
    target.sizeBytes > partBytes &&
    target.sizeBytes <= maxPutBytes
  const onFailure = (error: unknown) => left.abort(error)
  const sender = (isStreamed ? sendAtOnce : sendInParts)(target, { ...limits, signal, onFailure })
  const hash = createHash('sha256')
  let sizeBytes = 0
  let tail: Buffer = Buffer.alloc(0)
  try {
    const blocks = blocksOf(body, {
      blockBytes: isStreamed ? pieceBytes : partBytes,
      ...{ maxBytes: limits.maxBytes, idleMs: limits.sourceIdleMs, signal },
      onBytes: (bytes) => hash.update(bytes),
    })
    for await (const block of blocks) {
      sizeBytes += block.bytes.length
      assertAnnounced(sizeBytes, block.isLast, target.sizeBytes)
      tail = tailOf(tail, block.bytes)
      await sender.send(block)
    }
    await sender.finish()
  } catch (error) {
    left.abort(error)
    sender.giveUp()
    limits.signal.throwIfAborted()
    throw error === total.reason ? new Problem('STORAGE_UNAVAILABLE', { cause: error }) : error
  }
  return { sizeBytes, sha256: hash.digest('hex'), tail }
}

/** Before the bytes go out: a store makes an object of as many as were announced. */
function assertAnnounced(sizeBytes: number, isLast: boolean, announced: number | undefined): void {
  if (announced === undefined || (isLast ? sizeBytes === announced : sizeBytes < announced)) return
  rejectFile('is not as long as announced')
}

interface Sender {
  /** Resolves when the next block may be read, and the memory of the one before this used again. */
  send(block: Block): Promise<void>
  /** After the last block: resolves when the object is there. */
  finish(): Promise<void>
  giveUp(): void
}

interface SendLimits extends Pick<UploadLimits, 'signal' | 'partMs' | 'onUnfinished'> {
  /** Of what is sent while the next block is read. */
  onFailure: (error: unknown) => void
}

function sendAtOnce(
  { calls, sizeBytes: length = 0, ...target }: UploadTarget,
  limits: SendLimits,
): Sender {
  const { signal, onFailure } = limits
  const piece = { signal, totalMs: limits.partMs }
  let put: PutRequest | undefined
  let sending: Promise<unknown> = Promise.resolve()
  return {
    async send({ bytes, isLast }) {
      await sending
      put ??= await calls.openPut({ ...target, length }, signal)
      const request = put
      sending = calls.call<unknown>(piece, () =>
        isLast ? request.finish(bytes) : request.write(bytes),
      )
      sending.catch(onFailure)
    },
    finish: async () => void (await sending),
    giveUp: () => put?.destroy(),
  }
}

/**
 * One after the other: what a store is still taking when it hears that all was in vain may stay in
 * it.
 */
function sendInParts(
  { calls, ...target }: UploadTarget,
  { signal, partMs, onUnfinished }: SendLimits,
): Sender {
  const { bucket, key, contentType } = target
  const limits = { signal, totalMs: partMs }
  const etags: { part: number; etag: string }[] = []
  let uploadId: string | undefined

  async function put(bytes: Buffer, part?: NonNullable<PutTarget['part']>): Promise<string> {
    const request = await calls.openPut(
      { ...target, length: bytes.length, ...(part ? { part } : {}) },
      signal,
    )
    try {
      return await calls.call(limits, () => request.finish(bytes))
    } catch (error) {
      request.destroy()
      throw error
    }
  }

  return {
    async send({ bytes, isLast }) {
      if (isLast && uploadId === undefined) return void (await put(bytes))
      const headers = { 'Content-Type': contentType }
      uploadId ??= await calls.call(limits, (client) =>
        client.initiateNewMultipartUpload(bucket, key, headers),
      )
      const part = etags.length + 1
      etags.push({ part, etag: await put(bytes, { uploadId, number: part }) })
    },
    async finish() {
      const id = uploadId
      if (id !== undefined)
        await calls.call(limits, (client) => client.completeMultipartUpload(bucket, key, id, etags))
    },
    giveUp() {
      if (uploadId !== undefined) onUnfinished(uploadId)
    },
  }
}

function tailOf(before: Buffer, bytes: Buffer): Buffer {
  // Copied: the memory of a block is used again.
  return Buffer.concat(
    bytes.length >= tailBytes ? [bytes.subarray(-tailBytes)] : [before, bytes],
  ).subarray(-tailBytes)
}
