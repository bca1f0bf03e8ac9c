// The object store (MinIO or another S3 service) for the rest of the gateway: put a stream, read a
// range, presign a link, remove. The bucket is created at first use, so that the gateway starts
// without the store. It is never listed.

import type { Logger } from '../telemetry/logging.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import { createBucket } from './bucket.ts'
import { createClient, createStoreCalls, type LimitsFor, type StoreAccess } from './calls.ts'
import { createSignLink } from './download-links.ts'
import { createObjectWrites } from './object-writes.ts'
import { readAll } from './read-all.ts'
import { storeErrorCode } from './store-problem.ts'
import { createStoreReports } from './store-reports.ts'

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

export interface RangeOptions {
  key: string
  /** In bytes. */
  offset: number
  length: number
  signal?: AbortSignal
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
  const { reported, succeeded } = createStoreReports(troubles)
  const limitsFor: LimitsFor = (action, signal) => ({
    action,
    signal,
    timeoutMs: timeouts.callMs,
  })
  const { region } = access
  const { ensure, ping, explainUpload } = createBucket({ calls, bucket, region, limitsFor })
  const writes = createObjectWrites({
    calls,
    bucket,
    limitsFor,
    ensureBucket: ensure,
    explainUpload,
    reported,
    timeouts,
    logger,
  })

  return {
    ensureBucket: ensure,
    put: writes.put,
    putBlocks: writes.putBlocks,
    presign: createSignLink(linkSigner, bucket),

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
      succeeded('look at the bucket')
    },

    /** Waits for running cleanups, which have their own timeouts. */
    async close(): Promise<void> {
      await writes.settle()
      calls.close()
    },
  }
}
