// An S3-compatible store based on s3rver, the one emulator that checks signatures and their expiry.
// Fixed here: it accepts unsigned requests, rejects valid links with UTF-8 file names, lacks
// multipart operations, and keeps truncated objects of broken uploads.

import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import S3rver, { type Context, type Store } from '@20minutes/s3rver'
import { DUMMY_ACCOUNT } from '@20minutes/s3rver/lib/models/account.js'
import { type FaultServer, openFaultServer } from './fault-server.ts'
import { handleMultipartRequest, isMultipartRequest } from './multipart.ts'
import { isSignatureValid } from './s3-signature.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

export interface ObjectStoreOptions {
  /** Later runs use this folder again. Without it, all objects are removed at the end. */
  dir?: string
  port?: number
  /** Requests to `<bucket>.s3.<this domain>` are about that bucket. */
  domain?: string
}

/** An emulated or real store, as the sandbox and tests use it. */
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
  domain,
}: ObjectStoreOptions = {}): Promise<ObjectStore> {
  const temporary = dir === undefined ? openTemporaryFolder('objects') : undefined
  const directory = dir ?? join(temporary?.path ?? '', 'store')
  mkdirSync(directory, { recursive: true })
  // s3rver has one list of keys per process, so each store gets a key of its own.
  const accessKey = `sandbox-${randomBytes(4).toString('hex')}`
  const secretKey = randomBytes(20).toString('hex')
  DUMMY_ACCOUNT.createKeyPair(accessKey, secretKey)

  const app = new S3rver({
    directory,
    silent: true,
    vhostBuckets: false,
    ...(domain && { serviceEndpoint: domain }),
  })
  app.on('error', () => undefined)
  app.middleware.unshift(fixSignaturesAndMultipart(app.store, secretKey))
  app.store.putContent = putAtomically
  const server = await openFaultServer({ port, handle: app.callback() })

  return {
    ...describeStore(server, accessKey, secretKey),
    async close() {
      await server.close()
      DUMMY_ACCOUNT.revokeAccessKey(accessKey)
      app.logger.close()
      temporary?.remove()
    },
  }
}

/** What an emulated and a real store have in common. */
export function describeStore(
  server: FaultServer,
  accessKey: string,
  secretKey: string,
): ObjectStore {
  const { url: endpoint, requests, injectFault, waitFor, down, up, close } = server
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

function fixSignaturesAndMultipart(store: Store, secretKey: string) {
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
    // s3rver's own check encodes the query incorrectly. A signature that is valid here skips that
    // check, but not the one of the expiry.
    if (isSignatureValid(ctx, secretKey)) {
      ctx.app = Object.create(ctx.app, { allowMismatchedSignatures: { value: true } })
    }
    try {
      await next()
    } catch (error) {
      // s3rver's router throws these two codes after the check of the signature.
      const code = (error as { code?: string }).code ?? ''
      if (!isMultipartRequest(ctx) || !['NotImplemented', 'MethodNotAllowed'].includes(code))
        throw error
      handleMultipartRequest(ctx, store)
    }
  }
}

/** Replaces s3rver's own, which writes in place. As in a real store, no partial object appears. */
async function putAtomically(
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
