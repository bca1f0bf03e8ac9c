// Streams a source into the store, completely or not at all. A source of known or small length goes
// out in one PUT, others in parts of 8 MiB. The minio client's putObject is not used: a failing
// source hangs it or ends the process, and it holds 131 MB with such parts (528 MB by default).

import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { anySignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import { type Block, blocksOf } from './blocks.ts'
import type { PutTarget, StoreCalls } from './calls.ts'
import { checksumOf } from './checksums.ts'
import { refuseFile } from './invalid-file.ts'
import type { PutRequest } from './put-request.ts'
import { StoreProblem } from './store-problem.ts'

/** Stores require parts of at least 5 MiB and accept 10,000 of them. */
const partBytes = 8 * 1024 * 1024
/** One write of a single PUT: keeps the store busy while the next piece is read. */
const pieceBytes = 1024 * 1024
/** The limit of S3 for one PUT. */
const maxPutBytes = 5 * 1024 * 1024 * 1024
const tailBytes = 64 * 1024
const action = 'store objects'

export interface UploadTarget {
  calls: StoreCalls
  bucket: string
  key: string
  contentType: string
  /** Where it is known: a source of another length is refused. */
  sizeBytes: number | undefined
}

export interface SourceLimits {
  maxBytes: number
  /** How long the source may send nothing. */
  sourceIdleMs: number
}

export interface UploadLimits {
  signal: AbortSignal
  /** For one part or piece, and for the completion of a multipart upload. */
  partMs: number
  /** For the whole upload. */
  totalMs: number
  /**
   * Called when a multipart upload failed and its parts have to be removed. It isn't awaited, so
   * that the failure is reported at once.
   */
  onAbandoned: (uploadId: string) => void
}

export interface UploadResult {
  sizeBytes: number
  /** In hex. */
  sha256: string
  /** The last 64 KiB, or all bytes of a smaller file. */
  tail: Buffer
}

/**
 * Rejects with InvalidFile or SourceTimeout, with Problem STORAGE_UNAVAILABLE when the store fails,
 * with the signal's reason, or with the error of the source.
 */
export async function upload(
  body: Readable,
  target: UploadTarget,
  limits: UploadLimits & SourceLimits,
): Promise<UploadResult> {
  const isOneRequest =
    target.sizeBytes !== undefined &&
    target.sizeBytes > partBytes &&
    target.sizeBytes <= maxPutBytes &&
    target.calls.checksums.kind() === 'none'
  const hash = createHash('sha256')
  const sent = await sendBlocks(
    (signal) =>
      blocksOf(body, {
        blockBytes: isOneRequest ? pieceBytes : partBytes,
        maxBytes: limits.maxBytes,
        idleMs: limits.sourceIdleMs,
        signal,
        onBytes: (bytes) => hash.update(bytes),
      }),
    { target, limits, createSender: isOneRequest ? createSingleSender : createMultipartSender },
  )
  return { ...sent, sha256: hash.digest('hex') }
}

/**
 * Stores blocks of at least 5 MiB, the last of which may be shorter. A block is no longer used when
 * the next one is requested. `open` gets a signal that aborts when sending fails.
 */
export async function sendBlocks(
  open: (signal: AbortSignal) => AsyncIterable<Block>,
  {
    target,
    limits,
    createSender = createMultipartSender,
  }: { target: UploadTarget; limits: UploadLimits; createSender?: CreateSender },
): Promise<Omit<UploadResult, 'sha256'>> {
  const total = AbortSignal.timeout(limits.totalMs)
  // Stops reading when sending fails, and sending when reading fails.
  const failed = new AbortController()
  const signal = anySignal(limits.signal, total, failed.signal)
  const onFailure = (error: unknown) => failed.abort(error)
  const sender = createSender(target, { ...limits, signal, onFailure })
  let sizeBytes = 0
  let tail: Buffer = Buffer.alloc(0)
  try {
    for await (const block of open(signal)) {
      sizeBytes += block.bytes.length
      assertDeclaredSize(sizeBytes, block.isLast, target.sizeBytes)
      tail = tailOf(tail, block.bytes)
      await sender.send(block)
    }
    await sender.finish()
  } catch (error) {
    failed.abort(error)
    sender.abandon()
    limits.signal.throwIfAborted()
    throw error === total.reason ? new StoreProblem(error, action) : error
  }
  return { sizeBytes, tail }
}

type CreateSender = (target: UploadTarget, options: SenderOptions) => Sender

/** To be called before the bytes are sent: the declared number of bytes creates the object. */
function assertDeclaredSize(
  sizeBytes: number,
  isLast: boolean,
  declared: number | undefined,
): void {
  if (declared === undefined || (isLast ? sizeBytes === declared : sizeBytes < declared)) return
  refuseFile(`has another length than the declared ${declared} bytes`)
}

interface Sender {
  /** Resolves when the next block may be read and the memory of the previous one reused. */
  send(block: Block): Promise<void>
  /** After the last block: resolves when the object exists. */
  finish(): Promise<void>
  /** After a failure: no object is created. */
  abandon(): void
}

interface SenderOptions extends Pick<UploadLimits, 'signal' | 'partMs' | 'onAbandoned'> {
  /** Reports a failure while the next block is being read. */
  onFailure: (error: unknown) => void
}

function createSingleSender(
  { calls, bucket, key, contentType, sizeBytes: length = 0 }: UploadTarget,
  { signal, partMs, onFailure }: SenderOptions,
): Sender {
  const limits = { signal, timeoutMs: partMs, action } as const
  let put: PutRequest | undefined
  let sending: Promise<unknown> = Promise.resolve()
  return {
    async send({ bytes, isLast }) {
      await sending
      put ??= await calls.openPut({ bucket, key, contentType, length }, signal)
      const request = put
      sending = calls
        .call<unknown>(limits, () => (isLast ? request.finish(bytes) : request.write(bytes)))
        .catch((error) => {
          // The bytes before these are gone: the next attempt sends parts, each with a checksum.
          const isWorthRepeating = calls.checksums.learn(error, 'none')
          throw isWorthRepeating
            ? new Problem('STORAGE_UNAVAILABLE', { cause: error.cause })
            : error
        })
      sending.catch(onFailure)
    },
    finish: async () => void (await sending),
    abandon: () => put?.destroy(),
  }
}

/** Sends one part at a time: a store may keep a part that it receives during the abort. */
function createMultipartSender(
  { calls, bucket, key, contentType }: UploadTarget,
  { signal, partMs, onAbandoned }: SenderOptions,
): Sender {
  const limits = { signal, timeoutMs: partMs, action } as const
  const etags: { part: number; etag: string }[] = []
  let uploadId: string | undefined

  /** At most three requests: each further one has another kind of checksum. */
  async function put(bytes: Buffer, part?: PutTarget['part']): Promise<string> {
    for (;;) {
      const kind = calls.checksums.kind()
      const checksum = checksumOf(bytes, kind)
      const target = { bucket, key, contentType, length: bytes.length, part, checksum }
      try {
        if (checksum.signedHeaders) return await calls.putSigned(target, bytes, limits)
        return await putPresigned(target, bytes)
      } catch (error) {
        if (!calls.checksums.learn(error, kind)) throw error
      }
    }
  }

  async function putPresigned(target: PutTarget, bytes: Buffer): Promise<string> {
    const request = await calls.openPut(target, signal)
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
    abandon() {
      if (uploadId !== undefined) onAbandoned(uploadId)
    },
  }
}

/** A copy, since the memory of a block is reused. */
function tailOf(before: Buffer, bytes: Buffer): Buffer {
  const kept = bytes.length >= tailBytes ? [bytes] : [before, bytes]
  return Buffer.concat(kept.map((part) => part.subarray(-tailBytes))).subarray(-tailBytes)
}
