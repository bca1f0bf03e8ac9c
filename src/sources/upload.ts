// One upload request: all of its files become sources, or none does. Their rows, the check of the
// quotas and the response to an Idempotency-Key share a transaction after the last file was stored.

import { createHash } from 'node:crypto'
import { maxSourcesPerRequest } from '../contract/source.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isDatabaseUnavailable } from '../database/database-errors.ts'
import { type IdempotentResponse, respondOnce } from '../database/idempotency.ts'
import type { StoredResponse } from '../database/schema/users.ts'
import { readSourceUsage, type SourceUsage } from '../database/source-usage.ts'
import { abandonUploads, keepUploads } from '../database/sources.ts'
import { deleteUploadRecord } from '../database/uploads.ts'
import { Problem } from '../domain/problem.ts'
import type { Part } from '../http/body/multipart.ts'
import { InvalidFile } from '../objects/invalid-file.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { ReceivedSource, ReceiveFile } from './receive-file.ts'
import { insertSources, lockUploads, type SourceRow } from './statements.ts'

export interface SourceQuotas {
  /** 0 means unlimited, here and below. */
  maxSources: number
  maxTotalBytes: number
}

export interface UploadsOptions {
  database: Pick<Database, 'query' | 'transaction'>
  objects: Pick<ObjectStore, 'remove'>
  receiveFile: ReceiveFile
  quotas: SourceQuotas
  /** Uploads of one user that this process accepts at once. */
  maxPerUser?: number
  maxInAll?: number
  logger: Pick<Logger, 'warn'>
  onUpload?: (outcome: 'stored' | 'refused' | 'failed') => void
}

export interface UploadRequest {
  userId: string
  parts: AsyncIterable<Part>
  /** The fingerprint is complete only with the digests of the files. */
  idempotency?: { key: string; fingerprint: string } | undefined
  signal: AbortSignal
  respond: (rows: SourceRow[]) => StoredResponse
}

export type Uploads = ReturnType<typeof createUploads>

const retryAfterSeconds = 5

export function createUploads(options: UploadsOptions) {
  const { database, objects, receiveFile, quotas, logger, onUpload } = options
  const { maxPerUser = 4, maxInAll = 200 } = options
  const activeByUser = new Map<string, number>()
  let activeInAll = 0

  function enter(userId: string): () => void {
    const active = activeByUser.get(userId) ?? 0
    if (active >= maxPerUser || activeInAll >= maxInAll)
      throw new Problem('RATE_LIMIT_EXCEEDED', { retryAfterSeconds })
    activeByUser.set(userId, active + 1)
    activeInAll += 1
    return () => {
      const left = (activeByUser.get(userId) ?? 1) - 1
      if (left > 0) activeByUser.set(userId, left)
      else activeByUser.delete(userId)
      activeInAll -= 1
    }
  }

  /** Refuses a full quota before the body is read. A repeated request stores nothing. */
  async function checkRoom({ userId, idempotency }: UploadRequest): Promise<void> {
    if (idempotency) return
    checkQuotas(await readSourceUsage(database, userId), { count: 1, bytes: 1 }, quotas)
  }

  async function receiveAll(
    { userId, parts, signal }: UploadRequest,
    onKey: (objectKey: string) => void,
  ): Promise<ReceivedSource[]> {
    const received: ReceivedSource[] = []
    for await (const { name, fileName, body } of parts) {
      const index = received.length
      if (name !== 'files') refuse(pointerTo(name), 'is not allowed')
      if (fileName === undefined) refuse(`/files/${index}`, 'must be a file, with a file name')
      if (index >= maxSourcesPerRequest)
        refuse(`/files/${index}`, `must be one of at most ${maxSourcesPerRequest} files`)
      const file = receiveFile({ userId, fileName, body, signal, onKey })
      received.push(
        await file.catch((error: unknown) => {
          throw atPart(error, index)
        }),
      )
    }
    if (received.length === 0) refuse('/files', 'is required')
    return received
  }

  function insert(request: UploadRequest, received: ReceivedSource[]) {
    const { userId, idempotency, respond } = request
    const key = idempotency && { ...withFiles(idempotency, received), userId }
    return respondOnce(database, key, async (client: Queryable) => {
      await lockUploads(client, userId)
      const bytes = received.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      const used = await readSourceUsage(client, userId)
      checkQuotas(used, { count: received.length, bytes }, quotas)
      const keys = received.map(({ objectKey }) => objectKey)
      if ((await keepUploads(client, keys)) < keys.length) throw new Problem('REQUEST_TIMEOUT')
      return respond(await insertSources(client, { userId, received }))
    })
  }

  /** Removes objects that no source names; what fails is removed later. */
  async function discard(objectKeys: string[]): Promise<void> {
    try {
      for (const objectKey of await abandonUploads(database, objectKeys)) {
        await objects.remove(objectKey)
        await deleteUploadRecord(database, objectKey)
      }
    } catch (error) {
      logger.warn({ err: error }, 'uploaded files could not be removed; this is repeated later')
    }
  }

  return {
    /**
     * @throws Problem VALIDATION_FAILED, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE,
     * SOURCE_REJECTED, each at the first bad file; QUOTA_EXHAUSTED, RATE_LIMIT_EXCEEDED,
     * REQUEST_TIMEOUT, IDEMPOTENCY_KEY_REUSED, CONFLICT, SCANNER_UNAVAILABLE, STORAGE_UNAVAILABLE
     */
    async upload(request: UploadRequest): Promise<IdempotentResponse> {
      const leave = enter(request.userId)
      const objectKeys: string[] = []
      try {
        await checkRoom(request)
        const received = await receiveAll(request, (key) => objectKeys.push(key))
        const response = await insert(request, received)
        if (response.replayed) await discard(objectKeys)
        onUpload?.('stored')
        return response
      } catch (error) {
        const isRefusal = error instanceof Problem && error.status < 500
        onUpload?.(isRefusal ? 'refused' : 'failed')
        // After a lost connection, the removal of objects first looks whether rows name them.
        if (objectKeys.length > 0 && !isDatabaseUnavailable(error)) await discard(objectKeys)
        throw error
      } finally {
        leave()
      }
    },
  }
}

/** @throws Problem QUOTA_EXHAUSTED */
function checkQuotas(used: SourceUsage, wanted: SourceUsage, quotas: SourceQuotas): void {
  const { maxSources, maxTotalBytes } = quotas
  const isAbove = (limit: number, sum: number) => limit > 0 && sum > limit
  if (isAbove(maxSources, used.count + wanted.count)) throw new Problem('QUOTA_EXHAUSTED')
  if (isAbove(maxTotalBytes, used.bytes + wanted.bytes)) throw new Problem('QUOTA_EXHAUSTED')
}

function withFiles(
  { key, fingerprint }: { key: string; fingerprint: string },
  received: ReceivedSource[],
) {
  const files = JSON.stringify(received.map(({ name, sha256 }) => [name, sha256]))
  return { key, fingerprint: createHash('sha256').update(`${fingerprint}\n${files}`).digest('hex') }
}

function refuse(path: string, message: string): never {
  throw new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })
}

/** Names of parts come from the caller, and may be long. */
function pointerTo(name: string): string {
  return `/${name.slice(0, 100).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')}`
}

const codesOfParts = ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'SOURCE_REJECTED'] as const

/** The error with the place of the part. */
function atPart(error: unknown, index: number): unknown {
  const path = `/files/${index}`
  if (error instanceof InvalidFile) {
    const errors = [{ path, message: error.reason }]
    return new Problem('VALIDATION_FAILED', { errors, cause: error })
  }
  if (!(error instanceof Problem)) return error
  const code = codesOfParts.find((known) => known === error.code)
  const [first] = error.errors ?? []
  if (code === undefined || !first) return error
  return new Problem(code, { errors: [{ path, message: first.message }], cause: error })
}
