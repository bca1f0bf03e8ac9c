// The object store (MinIO or another S3 service) for the rest of the gateway: put a stream, read a
// range, presign a link, remove. The bucket is created at first use, so that the gateway starts
// without the store. It is never listed.

import type { Readable } from 'node:stream'
import { raceSignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import type { Logger } from '../telemetry/logging.ts'
import { createClient, createStoreCalls, type StoreAccess, storeErrorCode } from './calls.ts'
import { contentDisposition } from './file-name.ts'
import { type UploadResult, upload } from './upload.ts'

export type ObjectStore = ReturnType<typeof createObjectStore>

export interface ObjectStoreOptions extends StoreAccess {
  /** The origin for which download links are signed. */
  publicEndpoint: string
  bucket: string
  logger: Pick<Logger, 'warn'>
  timeouts?: Partial<typeof defaultTimeouts>
}

export interface PutOptions {
  /** Never used before. */
  key: string
  body: Readable
  /** The declared length, if any; a body of another length is refused. */
  sizeBytes?: number | undefined
  contentType: string
  maxBytes: number
  signal: AbortSignal
  /** For a failed cleanup after a failed upload; the store's logger by default. */
  logger?: Pick<Logger, 'warn'>
}

export interface RangeOptions {
  key: string
  /** In bytes. */
  offset: number
  length: number
  signal?: AbortSignal
}

export interface LinkOptions {
  key: string
  fileName: string
  contentType: string
  expiresInSeconds: number
}

const defaultTimeouts = {
  /** For a connection without a byte in either direction. */
  idleMs: 30_000,
  callMs: 30_000,
  partMs: 300_000,
  putMs: 3_600_000,
  sourceIdleMs: 120_000,
}

/**
 * Opens no connection before the first call. Calls reject with Problem STORAGE_UNAVAILABLE when the
 * store fails or is too slow, and with the reason of their signal when it aborts.
 */
export function createObjectStore(options: ObjectStoreOptions) {
  const { bucket, logger, ...access } = options
  const timeouts = { ...defaultTimeouts, ...options.timeouts }
  const calls = createStoreCalls(access, timeouts)
  const linkSigner = createClient({ ...access, endpoint: options.publicEndpoint })
  const cleanups = new Set<Promise<void>>()
  let bucketReady: Promise<void> | undefined

  const limitsFor = (signal?: AbortSignal) => ({ signal, timeoutMs: timeouts.callMs })

  /** Concurrent calls share one attempt; a signal ends only its own wait. A failure isn't kept. */
  function ensureBucket(signal?: AbortSignal): Promise<void> {
    bucketReady ??= createBucket().catch((error) => {
      bucketReady = undefined
      throw error
    })
    return signal ? raceSignal(bucketReady, signal) : bucketReady
  }

  async function createBucket(): Promise<void> {
    if (await bucketExists()) return
    try {
      await calls.call(limitsFor(), (client) => client.makeBucket(bucket, access.region))
    } catch (error) {
      // Another replica may have created it at the same time.
      if (!(await bucketExists())) throw error
    }
  }

  async function bucketExists(): Promise<boolean> {
    try {
      return await calls.call(limitsFor(), (client) => client.bucketExists(bucket))
    } catch (error) {
      // Credentials that allow only reading and writing objects imply that the bucket exists.
      if (storeErrorCode(error) === 'AccessDenied') return true
      throw error
    }
  }

  /**
   * Stores the stream. Rejects with InvalidFile for an empty source, one over `maxBytes` or of
   * another length than declared; with SourceTimeout for a silent one; with errors of the source as
   * they are. Always destroys the source.
   */
  async function put({
    key,
    body,
    sizeBytes,
    contentType,
    maxBytes,
    signal,
    logger: putLogger = logger,
  }: PutOptions): Promise<UploadResult> {
    // Before the first wait: an error event without a listener would end the process.
    body.on('error', () => undefined)
    try {
      await ensureBucket(signal)
      return await upload(
        body,
        { calls, bucket, key, contentType, sizeBytes },
        {
          maxBytes,
          signal,
          sourceIdleMs: timeouts.sourceIdleMs,
          partMs: timeouts.partMs,
          totalMs: timeouts.putMs,
          onAbandoned: (uploadId) => removeParts(key, uploadId, putLogger),
        },
      )
    } catch (error) {
      if (storeErrorCode(error) === 'NoSuchBucket') bucketReady = undefined
      throw error
    } finally {
      body.destroy()
    }
  }

  function removeParts(key: string, uploadId: string, putLogger: Pick<Logger, 'warn'>): void {
    const cleanup = calls
      .call(limitsFor(), (client) =>
        client.abortMultipartUpload(bucket, key, encodeURIComponent(uploadId)),
      )
      .catch((error) =>
        putLogger.warn(
          { err: error, object_key: key },
          'The parts of a failed upload could not be removed.',
        ),
      )
      .finally(() => cleanups.delete(cleanup))
    cleanups.add(cleanup)
  }

  return {
    ensureBucket,
    put,

    /** The bytes from `offset` on; fewer than `length` only at the end of the object. */
    async readRange({ key, offset, length, signal }: RangeOptions): Promise<Buffer> {
      if (length <= 0) return Buffer.alloc(0)
      try {
        return await calls.call(limitsFor(signal), async (client) => {
          return readAll(await client.getPartialObject(bucket, key, offset, length), length)
        })
      } catch (error) {
        if (storeErrorCode(error) === 'InvalidRange') return Buffer.alloc(0)
        throw error
      }
    },

    /** Needs no request to the store. `expiresAt` has no milliseconds, like signatures. */
    async presign({
      key,
      fileName,
      contentType,
      expiresInSeconds,
    }: LinkOptions): Promise<{ url: string; expiresAt: Date }> {
      const signedAt = new Date(Math.floor(Date.now() / 1000) * 1000)
      const responseHeaders = {
        'response-content-disposition': contentDisposition(fileName),
        'response-content-type': contentType,
      }
      const url = await linkSigner.presignedGetObject(
        bucket,
        key,
        expiresInSeconds,
        responseHeaders,
        signedAt,
      )
      return { url, expiresAt: new Date(signedAt.getTime() + expiresInSeconds * 1000) }
    },

    /** Also resolves when there is no such object. */
    async remove(key: string, signal?: AbortSignal): Promise<void> {
      try {
        await calls.call(limitsFor(signal), (client) => client.removeObject(bucket, key))
      } catch (error) {
        const code = storeErrorCode(error) ?? ''
        if (!['NoSuchKey', 'NoSuchBucket', 'NotFound'].includes(code)) throw error
      }
    },

    /** Resolves when the store accepts our credentials, with or without the bucket. */
    async ping(signal?: AbortSignal): Promise<void> {
      await calls.call(limitsFor(signal), (client) => client.bucketExists(bucket))
    },

    /** Waits for running cleanups, which have their own timeouts. */
    async close(): Promise<void> {
      await Promise.all(cleanups)
      calls.close()
    },
  }
}

/** Rejects when the store ignores the range, or sends more than `length` bytes. */
async function readAll(response: Readable, length: number): Promise<Buffer> {
  const { statusCode } = response as { statusCode?: number }
  if (statusCode !== 206) throw unusable('The store ignored the requested range.')
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    chunks.push(chunk)
    bytes += (chunk as Buffer).length
    if (bytes > length) throw unusable('The store sent more bytes than requested.')
  }
  return Buffer.concat(chunks)
}

function unusable(message: string): Problem {
  return new Problem('STORAGE_UNAVAILABLE', { cause: new Error(message) })
}
