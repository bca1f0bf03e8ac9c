// Brings a stream into the store, whole or not at all, in parts of 8 MiB. Written with the client's single steps: its own
// putObject takes 528 MB for a stream of unknown length, and one that fails on the way hangs it or kills the process.

import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { anySignal } from '../domain/deadline.ts'
import { Problem } from '../domain/problem.ts'
import { blocksOf } from './blocks.ts'
import type { StoreCalls } from './calls.ts'

/** Stores want parts of at least 5 MiB, and take 10,000 of them. */
export const partBytes = 8 * 1024 * 1024
const tailBytes = 64 * 1024

export interface UploadTarget {
  calls: StoreCalls
  bucket: string
  key: string
  contentType: string
}

export interface UploadLimits {
  maxBytes: number
  signal: AbortSignal
  /** How long the source may be silent. */
  sourceIdleMs: number
  /** For one part, or for putting them together. */
  partMs: number
  /** For everything. */
  totalMs: number
  /** Told of an upload that was begun and must be taken back; never awaited here, so that a failure is known at once. */
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
  { calls, bucket, key, contentType }: UploadTarget,
  limits: UploadLimits,
): Promise<Uploaded> {
  const total = AbortSignal.timeout(limits.totalMs)
  const signal = anySignal(limits.signal, total)
  const part = { signal, totalMs: limits.partMs }
  const headers = { 'Content-Type': contentType }
  const hash = createHash('sha256')
  const etags: { part: number; etag: string }[] = []
  let sizeBytes = 0
  let tail: Buffer = Buffer.alloc(0)
  let uploadId: string | undefined
  try {
    const blocks = blocksOf(body, { blockBytes: partBytes, maxBytes: limits.maxBytes, idleMs: limits.sourceIdleMs, signal })
    for await (const { bytes, isLast } of blocks) {
      hash.update(bytes)
      sizeBytes += bytes.length
      tail = tailOf(tail, bytes)
      if (isLast && uploadId === undefined) {
        await calls.call(part, (client) => client.putObject(bucket, key, bytes, bytes.length, headers))
        break
      }
      uploadId ??= await calls.call(part, (client) => client.initiateNewMultipartUpload(bucket, key, { ...headers }))
      // The client puts the id into the query as it is.
      const target = {
        bucketName: bucket,
        objectName: key,
        uploadID: encodeURIComponent(uploadId),
        partNumber: etags.length + 1,
        headers: {},
      }
      etags.push(await calls.call(part, (client) => client.uploadPart(target, bytes)))
    }
    if (uploadId !== undefined) {
      const id = uploadId
      await calls.call(part, (client) => client.completeMultipartUpload(bucket, key, id, etags))
    }
  } catch (error) {
    if (uploadId !== undefined) limits.onUnfinished(uploadId)
    limits.signal.throwIfAborted()
    throw error === total.reason ? new Problem('STORAGE_UNAVAILABLE', { cause: error }) : error
  }
  return { sizeBytes, sha256: hash.digest('hex'), tail }
}

function tailOf(before: Buffer, bytes: Buffer): Buffer {
  // Copied: the memory of a block is used again.
  return Buffer.concat(bytes.length >= tailBytes ? [bytes.subarray(-tailBytes)] : [before, bytes]).subarray(-tailBytes)
}
