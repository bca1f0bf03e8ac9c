// An S3-compatible store for development and tests, on s3rver: the one emulator that checks
// signatures and their expiry. What it gets wrong, and a real store gets right, is mended here: it
// lets unsigned requests in, refuses good links whose file name is in UTF-8, lacks some multipart
// operations, and keeps a truncated object when an upload breaks off.

import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import S3rver, { type Context, type Store } from '@20minutes/s3rver'
import { DUMMY_ACCOUNT } from '@20minutes/s3rver/lib/models/account.js'
import { type FaultServer, openFaultServer } from './fault-server.ts'
import { handleMultipartRequest, isMultipartRequest } from './multipart.ts'
import { isSignatureValid } from './presigned-signature.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

export interface ObjectStoreOptions {
  /** Kept for later runs; without it what is stored is thrown away at the end. */
  dir?: string
  port?: number
}

/** A store as tests and the sandbox use it, emulated or real. */
export interface ObjectStore
  extends Pick<FaultServer, 'requests' | 'injectFault' | 'waitFor' | 'down' | 'up' | 'close'> {
  endpoint: string
  accessKey: string
  secretKey: string
  region: string
  /** The gateway's variables for this store. */
  env: Record<'MINIO_ENDPOINT' | 'MINIO_ACCESS_KEY' | 'MINIO_SECRET_KEY' | 'MINIO_REGION', string>
}

export async function openObjectStore({
  dir,
  port,
}: ObjectStoreOptions = {}): Promise<ObjectStore> {
  const temporary = dir === undefined ? openTemporaryFolder('objects') : undefined
  const directory = dir ?? join(temporary?.path ?? '', 'store')
  mkdirSync(directory, { recursive: true })
  // s3rver knows one list of keys per process: keys of our own for each store, so that several stay
  // apart.
  const accessKey = `sandbox-${randomBytes(4).toString('hex')}`
  const secretKey = randomBytes(20).toString('hex')
  DUMMY_ACCOUNT.createKeyPair(accessKey, secretKey)

  const app = new S3rver({ directory, silent: true, vhostBuckets: false })
  app.on('error', () => undefined)
  app.middleware.unshift(mend(app.store, secretKey))
  app.store.putContent = putWhole
  const answer = app.callback()
  const front = await openFaultServer({ port, handle: answer })

  return {
    ...describeStore(front, accessKey, secretKey),
    async close() {
      await front.close()
      DUMMY_ACCOUNT.revokeAccessKey(accessKey)
      app.logger.close()
      temporary?.remove()
    },
  }
}

/** What a store says of itself, emulated or real. */
export function describeStore(
  front: FaultServer,
  accessKey: string,
  secretKey: string,
): ObjectStore {
  const { url: endpoint, requests, injectFault, waitFor, down, up, close } = front
  const region = 'us-east-1'
  const env = {
    MINIO_ENDPOINT: endpoint,
    MINIO_ACCESS_KEY: accessKey,
    MINIO_SECRET_KEY: secretKey,
    MINIO_REGION: region,
  }
  return {
    endpoint,
    accessKey,
    secretKey,
    region,
    env,
    requests,
    injectFault,
    waitFor,
    down,
    up,
    close,
  }
}

function mend(store: Store, secretKey: string) {
  return async (ctx: Context, next: () => Promise<void>) => {
    const isSigned =
      ctx.headers['authorization'] || 'X-Amz-Signature' in ctx.query || 'Signature' in ctx.query
    if (!isSigned) {
      ctx.status = 403
      ctx.type = 'application/xml'
      ctx.body =
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
      return
    }
    // Its own check encodes the query otherwise than the rules say; it still sees to the expiry,
    // and refuses what isn't good here.
    if ('X-Amz-Signature' in ctx.query && isSignatureValid(ctx, secretKey)) {
      ctx.app = Object.create(ctx.app, { allowMismatchedSignatures: { value: true } })
    }
    try {
      await next()
    } catch (error) {
      // These two come from its router, behind the check of the signature.
      const code = (error as { code?: string }).code ?? ''
      if (!isMultipartRequest(ctx) || !['NotImplemented', 'MethodNotAllowed'].includes(code))
        throw error
      handleMultipartRequest(ctx, store)
    }
  }
}

/**
 * Replaces s3rver's own, which writes in place: an object appears whole or not at all, as in a real
 * store.
 */
async function putWhole(
  path: string,
  content: NodeJS.ReadableStream | Buffer,
): Promise<[size: number, md5: string]> {
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.unfinished`
  const md5 = createHash('md5')
  let size = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      md5.update(chunk)
      size += chunk.length
      done(null, chunk)
    },
  })
  try {
    await pipeline(
      Buffer.isBuffer(content) ? Readable.from([content]) : content,
      count,
      createWriteStream(unfinished),
    )
    renameSync(unfinished, path)
  } catch (error) {
    rmSync(unfinished, { force: true })
    throw error
  }
  return [size, md5.digest('hex')]
}
