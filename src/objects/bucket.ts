// The bucket: created at first use, also by a key that may not look at it. Stores refuse to show,
// create or list a bucket for many reasons while they accept objects, so a refusal here stops
// nothing: the upload after it tells what is wrong.

import { raceSignal } from '../async/signals.ts'
import type { LimitsFor, StoreCalls } from './calls.ts'
import { StoreError } from './store-error.ts'
import { isRefusal, storeErrorCode } from './store-problem.ts'

export interface BucketOptions {
  calls: Pick<StoreCalls, 'call'>
  bucket: string
  region: string
  limitsFor: LimitsFor
}

export type Bucket = ReturnType<typeof createBucket>

/** Never written. It asks whether the store accepts our signature. */
const probeKey = 'presentations/probe'

export function createBucket({ calls, bucket, region, limitsFor }: BucketOptions) {
  let ready: Promise<void> | undefined
  /** An upload was told so; a key that may not look at the bucket finds out in no other way. */
  let isKnownMissing = false
  let creationRefusal: unknown

  async function exists(signal?: AbortSignal): Promise<boolean> {
    return calls.call(limitsFor('look at the bucket', signal), (client) =>
      client.bucketExists(bucket),
    )
  }

  async function prepare(): Promise<void> {
    creationRefusal = undefined
    const isThere = await exists().catch((error) => {
      if (!isRefused(error)) throw error
      return !isKnownMissing
    })
    if (isThere) return
    try {
      await calls.call(limitsFor('create the bucket'), (client) =>
        client.makeBucket(bucket, region),
      )
    } catch (error) {
      if (isRefused(error)) creationRefusal = error
      // Another replica may have created it at the same time.
      else if (!(await exists())) throw error
    }
    isKnownMissing = false
  }

  return {
    /** Concurrent calls share one attempt; a signal ends only its own wait. */
    ensure(signal?: AbortSignal): Promise<void> {
      ready ??= prepare().catch((error) => {
        ready = undefined
        throw error
      })
      return signal ? raceSignal(ready, signal) : ready
    },

    /** To be called with the error of an upload; returns what to throw. */
    explainUpload(error: unknown): unknown {
      if (storeErrorCode(error) !== 'NoSuchBucket') return error
      ready = undefined
      isKnownMissing = true
      return creationRefusal ?? error
    },

    /** Resolves when the store accepts our credentials, with or without the bucket. */
    async ping(signal?: AbortSignal): Promise<void> {
      try {
        await exists(signal)
      } catch (error) {
        if (!isRefused(error)) throw error
        await probe(signal)
      }
    },
  }

  /**
   * The response to HEAD has no body, so a wrong signature looks like a missing right. The response
   * to this names the reason. A key without rights on this object is fine.
   */
  async function probe(signal?: AbortSignal): Promise<void> {
    try {
      await calls.call(limitsFor('read objects', signal), async (client) => {
        ;(await client.getPartialObject(bucket, probeKey, 0, 1)).destroy()
      })
    } catch (error) {
      const code = storeErrorCode(error) ?? ''
      if (!['AccessDenied', 'NoSuchKey', 'NoSuchBucket', 'NotFound'].includes(code)) throw error
    }
  }
}

/** A refusal by the store, and no fault of the connection, such as a wrong certificate. */
function isRefused(error: unknown): boolean {
  return isRefusal(error) && error.cause instanceof StoreError && !error.cause.isHtml
}
