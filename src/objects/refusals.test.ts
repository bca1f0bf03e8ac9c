// What stores and their policies refuse, over real sockets: the bucket, the credentials, the
// ranges. Codes and texts are those of S3, MinIO and proxies.

import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RequestPredicate } from '../sandbox/fault-server.ts'
import { type ObjectStore, openObjectStore } from '../sandbox/object-store.ts'
import { createTroubles } from '../telemetry/troubles.ts'
import { createObjectStore } from './store.ts'

const MiB = 1024 * 1024
const always = Number.POSITIVE_INFINITY
let server: ObjectStore
let troubles: ReturnType<typeof createTroubles>
const logger = { warn: vi.fn(), info: vi.fn() }
const closers: (() => unknown)[] = []
beforeEach(async () => {
  server = await openObjectStore()
  troubles = createTroubles({ logger })
  closers.push(() => server.close())
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function openStore(changes: Partial<Parameters<typeof createObjectStore>[0]> = {}) {
  const publicEndpoint = server.endpoint
  const store = createObjectStore({
    ...{ ...server, publicEndpoint, bucket: 'decks', logger, troubles },
    ...changes,
  })
  closers.push(() => store.close())
  return store
}

const onBucket: RequestPredicate = ({ path }) => path.split('/').length === 2
const isHead: RequestPredicate = (request) => request.method === 'HEAD' && onBucket(request)
const isCreation: RequestPredicate = (request) => request.method === 'PUT' && onBucket(request)
const isGet: RequestPredicate = ({ method }) => method === 'GET'

interface Refusal {
  code?: string
  message?: string
  headers?: Record<string, string>
  times?: number
}

function refuse(status: number, match: RequestPredicate, refusal: Refusal = {}) {
  const { code, message = '', headers = {}, times = always } = refusal
  const body = code ? `<Error><Code>${code}</Code><Message>${message}</Message></Error>` : ''
  return server.injectFault({ kind: 'status', status, body, headers }, { times, match })
}

function put(store: ReturnType<typeof createObjectStore>, key = 'a', sizeBytes = 1) {
  const body = Readable.from([Buffer.alloc(sizeBytes)])
  const { signal } = new AbortController()
  return store.put({ key, body, sizeBytes, contentType: 'a/b', maxBytes: 64 * MiB, signal })
}

describe('the bucket', () => {
  it.each([
    [403, {}],
    [405, {}],
    [400, { headers: { 'x-amz-bucket-region': 'eu-central-1' } }],
    [501, {}],
    [301, {}],
  ])('need not be shown: HEAD returns %i', async (status, refusal) => {
    await openStore().ensureBucket()
    refuse(status, isHead, refusal)
    const store = openStore()
    expect(await put(store)).toMatchObject({ sizeBytes: 1 })
    await store.ping()
  })

  it('is created for a key that may not look at it, once an upload says that it is missing', async () => {
    refuse(403, isHead)
    const store = openStore()
    await expect(put(store, 'a')).rejects.toMatchObject({ failure: undefined })
    expect(troubles.of('storage')).toMatchObject({ variable: 'MINIO_BUCKET' })
    expect(await put(store, 'b')).toMatchObject({ sizeBytes: 1 })
    expect(troubles.of('storage')).toBeUndefined()
  })

  it.each([
    [403, 'AccessDenied', 'MINIO_BUCKET', /does not exist, and the access key may not create it/],
    [501, 'NotImplemented', 'MINIO_BUCKET', /does not exist/],
    [409, 'BucketAlreadyExists', 'MINIO_BUCKET', /belongs to another account/],
    [400, 'IllegalLocationConstraintException', 'MINIO_REGION', /another region/],
    [400, 'InvalidBucketName', 'MINIO_BUCKET', /not allowed/],
    [400, 'TooManyBuckets', 'MINIO_BUCKET', /quota/],
  ])('cannot be created: %i %s', async (status, code, variable, detail) => {
    const creation = refuse(status, isCreation, { code })
    const store = openStore()
    const refused = put(store)
    await expect(refused).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', failure: 'final' })
    expect(troubles.of('storage')).toMatchObject({
      variable,
      detail: expect.stringMatching(detail),
    })
    // Someone creates it, or corrects the rights.
    creation.release()
    expect(await put(store, 'b')).toMatchObject({ sizeBytes: 1 })
    expect(troubles.of('storage')).toBeUndefined()
  })

  it('may be used although the store neither shows nor creates it', async () => {
    await openStore().ensureBucket()
    refuse(404, isHead)
    refuse(403, isCreation, { code: 'AccessDenied' })
    expect(await put(openStore())).toMatchObject({ sizeBytes: 1 })
  })

  it('is waited for while the store has errors of its own', async () => {
    refuse(503, isHead, { times: 1 })
    const store = openStore()
    await expect(put(store)).rejects.toMatchObject({ failure: undefined })
    expect(await put(store, 'b')).toMatchObject({ sizeBytes: 1 })
  })
})

describe('a ping', () => {
  it('tells a wrong secret key from a missing right, although HEAD has no body', async () => {
    refuse(403, onBucket)
    await openStore().ping()
    await expect(openStore({ secretKey: 'wrong' }).ping()).rejects.toMatchObject({
      explanation: { reason: 'credentials_refused', variable: 'MINIO_SECRET_KEY' },
    })
  })

  it.each([
    ['AccessDenied', undefined],
    ['NoSuchKey', undefined],
    ['InvalidAccessKeyId', 'credentials_refused'],
    ['ExpiredToken', 'credentials_refused'],
    ['RequestTimeTooSkewed', 'misconfigured'],
    ['AuthorizationHeaderMalformed', 'misconfigured'],
    ['AllAccessDisabled', 'credentials_refused'],
  ])('is explained by what the store says to a GET: %s', async (code, reason) => {
    refuse(403, isHead)
    refuse(403, isGet, { code })
    const result = await openStore()
      .ping()
      .catch((error) => error.explanation.reason)
    expect(result).toBe(reason)
  })

  it('rejects what is no store: a web page at its address', async () => {
    const page = await listen((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html></html>'),
    )
    const store = openStore({ endpoint: page })
    for (const call of [store.ping(), put(store), put(store, 'large', 9 * MiB)]) {
      await expect(call).rejects.toMatchObject({
        explanation: { reason: 'misconfigured', variable: 'MINIO_ENDPOINT', isFinal: true },
      })
    }
  })
})

it('names a refusal that comes before the body was read, over a connection that closes', async () => {
  const body = '<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>'
  const rude = await listen((_request, response) => {
    response.writeHead(403, { connection: 'close', 'content-type': 'application/xml' }).end(body)
  })
  const store = openStore({ endpoint: rude })
  for (let i = 0; i < 5; i += 1) {
    await expect(put(store, 'a', 20 * MiB)).rejects.toMatchObject({
      failure: 'final',
      explanation: { reason: 'access_denied' },
    })
  }
})

it('says that an http address is one of https', async () => {
  const tls = await listen((_request, response) =>
    response.writeHead(400).end('Client sent an HTTP request to an HTTPS server.\n'),
  )
  await expect(put(openStore({ endpoint: tls }))).rejects.toMatchObject({
    explanation: { variable: 'MINIO_ENDPOINT', detail: expect.stringMatching(/https/) },
  })
  const plain = server.endpoint.replace('http:', 'https:')
  await expect(put(openStore({ endpoint: plain }))).rejects.toMatchObject({
    failure: 'final',
    explanation: { variable: 'MINIO_ENDPOINT', detail: expect.stringMatching(/https/) },
  })
})

it('reads a range from a store that ignores ranges and sends the whole object', async () => {
  const bytes = Buffer.from('0123456789'.repeat(20_000))
  const whole = await listen((_request, response) =>
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes),
  )
  const store = openStore({ endpoint: whole })
  for (const [offset, length] of [
    [0, 5],
    [150_003, 7],
    [199_995, 100],
    [200_000, 5],
  ] as const) {
    const read = await store.readRange({ key: 'a', offset, length })
    expect(read.toString()).toBe(bytes.subarray(offset, offset + length).toString())
  }
})

it('keeps each trouble until that action works, and says nothing of other parts', async () => {
  const store = openStore()
  await put(store)
  const denied = refuse(403, ({ method }) => method === 'DELETE', { code: 'AccessDenied' })
  await expect(store.remove('a')).rejects.toMatchObject({ failure: 'final' })
  await put(store, 'b')
  await store.ping()
  expect(troubles.of('storage')).toMatchObject({
    reason: 'access_denied',
    detail: expect.stringMatching(/may not remove objects/),
  })
  await server.down()
  await expect(put(store, 'c')).rejects.toMatchObject({ failure: undefined })
  await server.up()
  await store.ping()
  denied.release()
  await store.remove('a')
  expect(troubles.of('storage')).toBeUndefined()
})

it('logs neither places nor keys of a refusal', async () => {
  const store = openStore()
  await put(store)
  const message =
    'User: arn:aws:iam::1234:user/gateway may not perform: s3:PutObject on http://minio.internal:9000/decks/alice'
  refuse(403, ({ method }) => method === 'PUT', { code: 'AccessDenied', message })
  const { cause } = await put(store, 'b').catch((error) => error)
  expect(cause.message).toContain('(AccessDenied)')
  expect(cause.message).toContain('s3:PutObject')
  for (const secret of ['1234', 'minio.internal', 'alice', 'decks'])
    expect(cause.message).not.toContain(secret)
})

/** A server that is closed at the end of the test. */
async function listen(handle: RequestListener): Promise<string> {
  const other: Server = createServer(handle)
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    other.closeAllConnections()
    return new Promise((resolve) => other.close(resolve))
  })
  return `http://127.0.0.1:${(other.address() as AddressInfo).port}`
}
