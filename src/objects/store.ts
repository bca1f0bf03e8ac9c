// The object store (MinIO or another S3 service) for the rest of the gateway: put a stream, read a
// range, presign a link, remove. The bucket is created at first use, so that the gateway starts
// without the store. It is never listed.

import type { Readable } from 'node:stream'
import type { Logger } from '../telemetry/logging.ts'
import { inSpan } from '../telemetry/traces/span.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import type { Block } from './blocks.ts'
import { createBucket } from './bucket.ts'
import { createClient, createStoreCalls, type StoreAccess } from './calls.ts'
import type { StoreAction } from './explain.ts'
import { contentDisposition } from './file-name.ts'
import { readAll } from './read-all.ts'
import { StoreProblem, storeErrorCode } from './store-problem.ts'
import { createStoreReports } from './store-reports.ts'
import { sendBlocks, type UploadResult, upload } from './upload.ts'

export type ObjectStore = ReturnType<typeof createObjectStore>

export interface ObjectStoreOptions extends StoreAccess {
  /** The origin for which download links are signed. */
  publicEndpoint: string
  bucket: string
  logger: Pick<Logger, 'warn'>
  /** Told what keeps objects from being stored, read or removed. */
  troubles?: Pick<Troubles, 'report' | 'clear'>
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

export interface PutBlocksOptions extends Pick<PutOptions, 'key' | 'contentType' | 'signal'> {
  /** Each of 5 MiB, but the last one; of one that was requested, the one before is reused. */
  blocks: AsyncIterable<Block>
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
  const { bucket, logger, troubles, ...access } = options
  const timeouts = { ...defaultTimeouts, ...options.timeouts }
  const calls = createStoreCalls(access, timeouts)
  const linkSigner = createClient({ ...access, endpoint: options.publicEndpoint })
  const cleanups = new Set<Promise<void>>()
  const reports = createStoreReports(troubles)
  const limitsFor = (action: StoreAction, signal?: AbortSignal) => ({
    action,
    signal,
    timeoutMs: timeouts.callMs,
  })
  const { ensure, ping, explainUpload } = createBucket({
    ...{ calls, bucket, region: access.region, limitsFor },
  })

  /** Reports how the action went. Errors of a source and of a signal say nothing of the store. */
  async function reported<T>(action: StoreAction, work: () => Promise<T>): Promise<T> {
    const attributes = { 'rpc.system.name': 'aws-api', 'rpc.service': 'S3' }
    try {
      const result = await inSpan(`S3 ${action}`, { kind: 'client', attributes }, work)
      reports.succeeded(action)
      return result
    } catch (error) {
      if (error instanceof StoreProblem) reports.failed(error)
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
      return await reported('store objects', async () => {
        await ensure(signal)
        return await upload(
          body,
          { calls, bucket, key, contentType, sizeBytes },
          {
            ...uploadLimits({ key, signal, logger: putLogger }),
            maxBytes,
            sourceIdleMs: timeouts.sourceIdleMs,
          },
        ).catch((error) => {
          throw explainUpload(error)
        })
      })
    } finally {
      body.destroy()
    }
  }

  /**
   * The same for blocks that the caller has cut and checked. Errors of the blocks pass unchanged.
   */
  function putBlocks({ key, contentType, blocks, signal }: PutBlocksOptions) {
    return reported('store objects', async () => {
      await ensure(signal)
      const target = { calls, bucket, key, contentType, sizeBytes: undefined }
      const limits = uploadLimits({ key, signal, logger })
      return sendBlocks(() => blocks, { target, limits }).catch((error) => {
        throw explainUpload(error)
      })
    })
  }

  const uploadLimits = ({
    key,
    signal,
    logger: putLogger,
  }: Pick<PutOptions, 'key' | 'signal'> & Required<Pick<PutOptions, 'logger'>>) => ({
    signal,
    partMs: timeouts.partMs,
    totalMs: timeouts.putMs,
    onAbandoned: (uploadId: string) => removeParts(key, uploadId, putLogger),
  })

  function removeParts(key: string, uploadId: string, putLogger: Pick<Logger, 'warn'>): void {
    const cleanup = calls
      .call(limitsFor('abort uploads'), (client) =>
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
    ensureBucket: ensure,
    put,
    putBlocks,

    /** The bytes from `offset` on; fewer than `length` only at the end of the object. */
    async readRange({ key, offset, length, signal }: RangeOptions): Promise<Buffer> {
      if (length <= 0) return Buffer.alloc(0)
      return reported('read objects', async () => {
        try {
          return await calls.call(limitsFor('read objects', signal), async (client) =>
            readAll(await client.getPartialObject(bucket, key, offset, length), offset, length),
          )
        } catch (error) {
          if (storeErrorCode(error) === 'InvalidRange') return Buffer.alloc(0)
          throw error
        }
      })
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
      await reported('remove objects', async () => {
        try {
          const limits = limitsFor('remove objects', signal)
          await calls.call(limits, (client) => client.removeObject(bucket, key))
        } catch (error) {
          const code = storeErrorCode(error) ?? ''
          if (!['NoSuchKey', 'NoSuchBucket', 'NotFound'].includes(code)) throw error
        }
      })
    },

    /** Resolves when the store accepts our credentials, with or without the bucket. */
    async ping(signal?: AbortSignal): Promise<void> {
      await ping(signal)
      reports.succeeded('look at the bucket')
    },

    /** Waits for running cleanups, which have their own timeouts. */
    async close(): Promise<void> {
      await Promise.all(cleanups)
      calls.close()
    },
  }
}
