// Stores objects: a stream of any length, or blocks that the caller has cut. The parts of a failed
// upload are removed in the background.

import type { Readable } from 'node:stream'
import type { Logger } from '../telemetry/logging.ts'
import type { Block } from './blocks.ts'
import type { Bucket } from './bucket.ts'
import type { LimitsFor, StoreCalls } from './calls.ts'
import type { StoreReports } from './store-reports.ts'
import { sendBlocks, type UploadResult, upload } from './upload.ts'

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

export interface ObjectWritesOptions {
  calls: StoreCalls
  bucket: string
  limitsFor: LimitsFor
  ensureBucket: Bucket['ensure']
  explainUpload: Bucket['explainUpload']
  reported: StoreReports['reported']
  timeouts: { partMs: number; putMs: number; sourceIdleMs: number }
  logger: Pick<Logger, 'warn'>
}

export function createObjectWrites(options: ObjectWritesOptions) {
  const { calls, bucket, limitsFor, ensureBucket, explainUpload, reported, timeouts } = options
  const { logger } = options
  const cleanups = new Set<Promise<void>>()

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
        await ensureBucket(signal)
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
      await ensureBucket(signal)
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
    put,
    putBlocks,
    /** Waits for running cleanups, which have their own timeouts. */
    settle: async (): Promise<void> => void (await Promise.all(cleanups)),
  }
}
