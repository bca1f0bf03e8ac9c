import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type ObjectStore, openObjectStore } from '../sandbox/object-store.ts'
import { createObjectStore } from './store.ts'

const MiB = 1024 * 1024
let server: ObjectStore
let store: ReturnType<typeof createObjectStore>
beforeEach(async () => {
  server = await openObjectStore()
  store = createObjectStore({
    ...server,
    publicEndpoint: server.endpoint,
    bucket: 'locked',
    logger: { warn: vi.fn() },
  })
  await store.ensureBucket()
})
afterEach(async () => {
  await store.close()
  await server.close()
})

/** Refuses every PUT of an object without this header. */
function demand(header: string, message: string, code = 'InvalidRequest') {
  const body = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  return server.injectFault(
    { kind: 'status', status: 400, body },
    {
      times: Number.POSITIVE_INFINITY,
      match: ({ method, path, headers }) =>
        method === 'PUT' && path.split('/').length > 2 && headers[header] === undefined,
    },
  )
}

async function put(key: string, bytes: Buffer, sizeBytes?: number) {
  const body = Readable.from([bytes.subarray(0, 100), bytes.subarray(100)])
  const signal = new AbortController().signal
  await store.put({ key, body, sizeBytes, contentType: 'text/plain', maxBytes: 64 * MiB, signal })
}

async function expectStored(key: string, bytes: Buffer) {
  const stored = await store.readRange({ key, offset: 0, length: bytes.length })
  expect(stored.equals(bytes)).toBe(true)
}

const putsOf = (key: string) =>
  server.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith(`/${key}`))

const s3Sentence =
  'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests with Object Lock parameters'

it.each([
  ['InvalidRequest', s3Sentence],
  ['InvalidRequest', 'Content-MD5 HTTP header is required for Put Object requests'],
  ['MissingContentMD5', 'Missing required header for this request: Content-MD5.'],
  ['MissingDigest', 'You must provide the digest.'],
  ['InvalidArgument', 'Request is missing a Content-Md5.'],
])('repeats a PUT with Content-MD5 after %s: %s', async (code, message) => {
  const refusing = demand('content-md5', message, code)
  const bytes = randomBytes(1000)
  await put('a', bytes)
  await expectStored('a', bytes)
  const md5 = createHash('md5').update(bytes).digest('base64')
  expect(putsOf('a').map(({ headers }) => headers['content-md5'])).toEqual([undefined, md5])
  await put('b', bytes)
  expect(putsOf('b')).toHaveLength(1)
  expect(refusing.hits).toHaveLength(1)
})

it('sends a checksum with every part of a source of unknown length', async () => {
  demand('content-md5', s3Sentence)
  const bytes = randomBytes(20 * MiB)
  await put('parts', bytes)
  await expectStored('parts', bytes)
  const accepted = putsOf('parts').filter(({ headers }) => headers['content-md5'] !== undefined)
  expect(accepted.map(({ query }) => query.get('partNumber'))).toEqual(['1', '2', '3'])
})

it('signs SHA-256 checksums for a store that takes no other', async () => {
  demand('x-amz-checksum-sha256', 'A checksum (x-amz-checksum-*) is required.')
  const small = randomBytes(1000)
  await put('small', small)
  await expectStored('small', small)
  const [, second] = putsOf('small')
  expect(second?.headers['x-amz-checksum-sha256']).toBe(
    createHash('sha256').update(small).digest('base64'),
  )
  expect(second?.headers.authorization).toMatch(/SignedHeaders=[^,]*x-amz-checksum-sha256/)
  const large = randomBytes(9 * MiB)
  await put('large', large)
  await expectStored('large', large)
})

it('tries each kind of checksum once where none is enough, and then names the refusal', async () => {
  demand('x-never-sent', s3Sentence)
  await expect(put('refused', randomBytes(10))).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    failure: 'final',
    explanation: { reason: 'request_refused' },
  })
  expect(putsOf('refused')).toHaveLength(3)
})

it('sends a large file in one request until a checksum is demanded, then in parts', async () => {
  demand('content-md5', s3Sentence)
  const bytes = randomBytes(12 * MiB)
  // The store refuses in the middle of a stream: that attempt is lost, and worth repeating.
  const lost = await put('lost', bytes, bytes.length).catch((error) => error)
  expect(lost).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  expect(lost.failure).toBeUndefined()
  await put('kept', bytes, bytes.length)
  await expectStored('kept', bytes)
  expect(putsOf('kept').map(({ query }) => query.get('partNumber'))).toEqual(['1', '2'])
})

it('learns from uploads at the same time that each kind was refused once only', async () => {
  demand('content-md5', s3Sentence)
  await Promise.all(Array.from({ length: 5 }, (_, i) => put(`together-${i}`, randomBytes(100))))
  const sent = server.requests.filter(({ headers }) => headers['x-amz-checksum-sha256'])
  expect(sent).toEqual([])
})

it('sends no checksum to a store that does not demand one', async () => {
  await put('plain', randomBytes(100))
  expect(putsOf('plain').map(({ headers }) => headers['content-md5'])).toEqual([undefined])
})
