// The object store (MinIO, or anything that speaks S3) as the rest of the gateway sees it: put a
// stream, read a piece, sign a link, remove. The bucket is made at first need, so that the store
// need not be there when the gateway starts; it is never listed.

import type { Readable } from 'node:stream'
import { raceSignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import type { Logger } from '../telemetry/logging.ts'
import { createClient, createStoreCalls, type StoreAccess, storeCode } from './calls.ts'
import { contentDisposition } from './file-name.ts'
import { type Uploaded, upload } from './upload.ts'

export type ObjectStore = ReturnType<typeof createObjectStore>

export interface ObjectStoreOptions extends StoreAccess {
  /** The origin that links are signed for. */
  publicEndpoint: string
  bucket: string
  logger: Pick<Logger, 'warn'>
  times?: Partial<typeof defaultTimes>
}

export interface PutOptions {
  key: string
  body: Readable
  /** As announced; a body of any other length is refused. */
  sizeBytes?: number | undefined
  contentType: string
  maxBytes: number
  signal: AbortSignal
  /** Where what is left behind by a failure is told of. */
  logger?: Pick<Logger, 'warn'>
}

export interface LinkOptions {
  key: string
  fileName: string
  contentType: string
  expiresInSeconds: number
}

const defaultTimes = {
  /** A connection without a byte in either direction. */
  idleMs: 30_000,
  callMs: 30_000,
  partMs: 300_000,
  putMs: 3_600_000,
  sourceIdleMs: 120_000,
}

/**
 * Opens no connection before the first call. Calls reject with Problem STORAGE_UNAVAILABLE when the
 * store fails or does not answer in time, and with the reason of their signal when that aborts.
 */
export function createObjectStore({
  publicEndpoint,
  bucket,
  logger,
  times: given,
  ...access
}: ObjectStoreOptions) {
  const times = { ...defaultTimes, ...given }
  const calls = createStoreCalls(access, times)
  const signer = createClient({ ...access, endpoint: publicEndpoint })
  const cleaning = new Set<Promise<void>>()
  let bucketReady: Promise<void> | undefined

  const limitsFor = (signal: AbortSignal | undefined) => ({ signal, totalMs: times.callMs })

  /** One flight for all who wait, tied to none of them; forgotten when it fails. */
  function ensureBucket(signal?: AbortSignal): Promise<void> {
    bucketReady ??= makeBucket().catch((error) => {
      bucketReady = undefined
      throw error
    })
    return signal ? raceSignal(bucketReady, signal) : bucketReady
  }

  async function makeBucket(): Promise<void> {
    const exists = () =>
      calls
        .call(limitsFor(undefined), (client) => client.bucketExists(bucket))
        .catch((error) => {
          // A key that may only read and write objects may not ask for the bucket: then it was made
          // by whoever gave that key.
          if (storeCode(error) === 'AccessDenied') return true
          throw error
        })
    if (await exists()) return
    try {
      await calls.call(limitsFor(undefined), (client) => client.makeBucket(bucket, access.region))
    } catch (error) {
      // Another replica may have been faster.
      if (!(await exists())) throw error
    }
  }

  /**
   * Stores the stream under a key that was never used before. An empty stream, and one over
   * `maxBytes`, is UPSTREAM_ERROR with failure `bad-file`; a source that falls silent is
   * UPSTREAM_TIMEOUT; errors of the source pass as they are. The source is destroyed in the end.
   */
  async function put({
    key,
    body,
    sizeBytes,
    contentType,
    maxBytes,
    signal,
    logger: putLogger = logger,
  }: PutOptions): Promise<Uploaded> {
    // From the first moment on: an error of the source that nobody listens to ends the process.
    body.on('error', () => undefined)
    try {
      await ensureBucket(signal)
      return await upload(
        body,
        { calls, bucket, key, contentType, sizeBytes },
        {
          ...{
            maxBytes,
            signal,
            sourceIdleMs: times.sourceIdleMs,
            partMs: times.partMs,
            totalMs: times.putMs,
          },
          onUnfinished: (uploadId) => takeBack(key, uploadId, putLogger),
        },
      )
    } catch (error) {
      if (storeCode(error) === 'NoSuchBucket') bucketReady = undefined
      throw error
    } finally {
      body.destroy()
    }
  }

  function takeBack(key: string, uploadId: string, putLogger: Pick<Logger, 'warn'>): void {
    const done = calls
      .call(limitsFor(undefined), (client) =>
        client.abortMultipartUpload(bucket, key, encodeURIComponent(uploadId)),
      )
      .catch((error) =>
        putLogger.warn(
          { err: error, object_key: key },
          'the parts of a failed upload could not be removed',
        ),
      )
      .finally(() => cleaning.delete(done))
    cleaning.add(done)
  }

  return {
    ensureBucket,
    put,

    /** The bytes from `offset` on; fewer than `length` where the object ends. */
    async readRange(
      key: string,
      offset: number,
      length: number,
      signal?: AbortSignal,
    ): Promise<Buffer> {
      if (length <= 0) return Buffer.alloc(0)
      try {
        return await calls.call(limitsFor(signal), async (client) => {
          return readAll(await client.getPartialObject(bucket, key, offset, length), length)
        })
      } catch (error) {
        if (storeCode(error) === 'InvalidRange') return Buffer.alloc(0)
        throw error
      }
    },

    /** Undefined when there is no such object. */
    async statSize(key: string, signal?: AbortSignal): Promise<number | undefined> {
      try {
        return (await calls.call(limitsFor(signal), (client) => client.statObject(bucket, key)))
          .size
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    /**
     * Made without asking anybody, so it also works while the store is away. `expiresAt` is exact
     * to the second, as signatures are.
     */
    async presign({
      key,
      fileName,
      contentType,
      expiresInSeconds,
    }: LinkOptions): Promise<{ url: string; expiresAt: Date }> {
      const signedAt = new Date(Math.floor(Date.now() / 1000) * 1000)
      const answerHeaders = {
        'response-content-disposition': contentDisposition(fileName),
        'response-content-type': contentType,
      }
      const url = await signer.presignedGetObject(
        bucket,
        key,
        expiresInSeconds,
        answerHeaders,
        signedAt,
      )
      return { url, expiresAt: new Date(signedAt.getTime() + expiresInSeconds * 1000) }
    },

    /** An object that is not there is fine. */
    async remove(key: string, signal?: AbortSignal): Promise<void> {
      try {
        await calls.call(limitsFor(signal), (client) => client.removeObject(bucket, key))
      } catch (error) {
        if (!isMissing(error)) throw error
      }
    },

    /**
     * Resolves when the store answers and takes our keys, whether or not the bucket was made yet.
     */
    async ping(signal?: AbortSignal): Promise<void> {
      await calls.call(limitsFor(signal), (client) => client.bucketExists(bucket))
    },

    /** Waits for what is being cleaned up, within the limits of its calls. */
    async close(): Promise<void> {
      await Promise.all(cleaning)
      calls.close()
    },
  }
}

function isMissing(error: unknown): boolean {
  return ['NoSuchKey', 'NoSuchBucket', 'NotFound'].includes(storeCode(error) ?? '')
}

/** No more than was asked for, also from a store that ignores the range. */
async function readAll(answer: Readable, length: number): Promise<Buffer> {
  const { statusCode } = answer as { statusCode?: number }
  if (statusCode !== 206)
    throw new Problem('STORAGE_UNAVAILABLE', {
      cause: new Error('the store does not answer with ranges'),
    })
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer) {
    chunks.push(chunk)
    bytes += (chunk as Buffer).length
    if (bytes > length)
      throw new Problem('STORAGE_UNAVAILABLE', {
        cause: new Error('the store sent more than was asked for'),
      })
  }
  return Buffer.concat(chunks)
}
