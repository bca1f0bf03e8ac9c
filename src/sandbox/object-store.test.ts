import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { Client } from 'minio'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { ObjectStore } from './object-store.ts'
import { openConfiguredObjectStore } from './real-stores.ts'

const MiB = 1024 * 1024
const bucket = 'decks'
let store: ObjectStore
let client: Client

beforeAll(async () => {
  store = await openConfiguredObjectStore()
  const { hostname, port } = new URL(store.endpoint)
  client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey: store.accessKey,
    secretKey: store.secretKey,
    region: store.region,
    partSize: 8 * MiB,
  })
  await client.makeBucket(bucket, store.region)
})

afterAll(() => store.close())

beforeEach(() => {
  store.requests.length = 0
})

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const put = (key: string, bytes: Buffer | Readable, size?: number) =>
  client.putObject(bucket, key, bytes, size, { 'Content-Type': 'text/plain' })
const get = async (key: string) => buffer(await client.getObject(bucket, key))

/** Chunks of an odd size, as a network delivers them. */
function* chunksOf(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 65_537) yield bytes.subarray(at, at + 65_537)
}

test.each([
  ['presentations/ada/5b1f.pptx'],
  ['presentations/ada%40example.org/5b1f-2.pptx'],
  ['presentations/日本 語/é & ü.pdf'],
])('returns an object as it was stored: %s', async (key) => {
  const bytes = randomBytes(100_000)
  await put(key, bytes, bytes.length)
  expect(sha256(await get(key))).toBe(sha256(bytes))
  const stat = await client.statObject(bucket, key)
  expect(stat.size).toBe(bytes.length)
  expect(stat.metaData['content-type']).toBe('text/plain')
  await client.removeObject(bucket, key)
  await expect(client.statObject(bucket, key)).rejects.toMatchObject({ code: 'NotFound' })
})

test('uploads a stream of known size in one request', async () => {
  const bytes = randomBytes(3 * MiB)
  await put('known', Readable.from(chunksOf(bytes)), bytes.length)
  expect(store.requests.map(({ method }) => method)).toEqual(['PUT'])
  expect(sha256(await get('known'))).toBe(sha256(bytes))
})

test('uploads a stream of unknown size in parts of 8 MiB', async () => {
  const bytes = randomBytes(20_000_000)
  await put('unknown', Readable.from(chunksOf(bytes)))
  expect(store.requests.filter(({ query }) => query.has('partNumber'))).toHaveLength(3)
  expect(sha256(await get('unknown'))).toBe(sha256(bytes))
  expect(await client.findUploadId(bucket, 'unknown')).toBeUndefined()
})

test('returns a range of an object, also to its end', async () => {
  const bytes = randomBytes(1000)
  await put('ranged', bytes, bytes.length)
  expect(
    (await buffer(await client.getPartialObject(bucket, 'ranged', 100, 50))).equals(
      bytes.subarray(100, 150),
    ),
  ).toBe(true)
  expect(
    (await buffer(await client.getPartialObject(bucket, 'ranged', 978))).equals(
      bytes.subarray(978),
    ),
  ).toBe(true)
})

test('serves a presigned link with the file name and type of the link', async () => {
  await put('linked', Buffer.from('hello'), 5)
  const disposition = `attachment; filename="deck.pptx"; filename*=UTF-8''d%C3%A9ck.pptx`
  const link = await client.presignedGetObject(bucket, 'linked', 60, {
    'response-content-disposition': disposition,
    'response-content-type': 'application/pdf',
  })
  const response = await fetch(link)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-disposition')).toBe(disposition)
  expect(response.headers.get('content-type')).toBe('application/pdf')
  expect(response.headers.get('content-length')).toBe('5')
  expect(await response.text()).toBe('hello')
})

test('refuses modified links, expired links and unsigned requests', async () => {
  await put('guarded', Buffer.from('hello'), 5)
  await put('other', Buffer.from('hello'), 5)
  const link = await client.presignedGetObject(bucket, 'guarded', 60)
  const expired = await client.presignedGetObject(
    bucket,
    'guarded',
    1,
    {},
    new Date(Date.now() - 60_000),
  )
  const invalidUrls = [
    link.replace('/guarded?', '/other?'),
    link.replace(/X-Amz-Expires=\d+/, 'X-Amz-Expires=600'),
    link.replace(/(X-Amz-Signature=).{4}/, '$10000'),
    `${link}&response-content-type=text%2Fhtml`,
    expired,
    `${store.endpoint}/${bucket}/guarded`,
    `${store.endpoint}/${bucket}`,
  ]
  for (const url of invalidUrls) {
    const response = await fetch(url)
    expect([response.status, await response.text()], url).toEqual([
      403,
      expect.stringContaining('<Error>'),
    ])
  }
  for (const method of ['PUT', 'DELETE']) {
    const response = await fetch(`${store.endpoint}/${bucket}/guarded`, {
      method,
      ...(method === 'PUT' ? { body: 'mine' } : {}),
    })
    expect(response.status).toBe(403)
  }
  expect(await (await fetch(link)).text()).toBe('hello')
})

test('keeps the old object when an upload breaks off', async () => {
  await put('replaced', Buffer.from('the first'), 9)
  const link = await client.presignedPutObject(bucket, 'replaced', 60)
  const upload = request(link, { method: 'PUT', headers: { 'content-length': '1000000' } })
  const failed = new Promise<Error>((resolve) => upload.on('error', resolve))
  upload.write(randomBytes(50_000))
  await store.waitFor(({ method, path }) => method === 'PUT' && path.endsWith('/replaced'), {
    count: 2,
  })
  upload.destroy()
  await failed
  await expect.poll(() => store.requests.at(-1)?.isFinished).toBe(true)
  expect((await get('replaced')).toString()).toBe('the first')
})

test('finds, lists and aborts an unfinished multipart upload', async () => {
  const uploadId = await client.initiateNewMultipartUpload(bucket, 'unfinished', {})
  await client.uploadPart(
    {
      bucketName: bucket,
      objectName: 'unfinished',
      uploadID: uploadId,
      partNumber: 1,
      headers: {},
    },
    Buffer.alloc(5 * MiB),
  )
  expect(await client.findUploadId(bucket, 'unfinished')).toBe(uploadId)
  const { listParts } = client as unknown as {
    listParts(bucket: string, key: string, id: string): Promise<{ part: number; size: number }[]>
  }
  expect(await listParts.call(client, bucket, 'unfinished', uploadId)).toMatchObject([
    { part: 1, size: 5 * MiB },
  ])
  await client.removeIncompleteUpload(bucket, 'unfinished')
  expect(await client.findUploadId(bucket, 'unfinished')).toBeUndefined()
  await expect(listParts.call(client, bucket, 'unfinished', uploadId)).rejects.toThrow(
    /does not exist/,
  )
})

test('fails as many requests as the fault says, and no more', async () => {
  const { hits } = store.injectFault(
    { kind: 'status', status: 503 },
    { times: 2, match: ({ method }) => method === 'PUT' },
  )
  const link = await client.presignedPutObject(bucket, 'faulty', 60)
  const statuses = []
  for (let i = 0; i < 3; i++)
    statuses.push((await fetch(link, { method: 'PUT', body: 'x' })).status)
  expect(statuses).toEqual([503, 503, 200])
  expect(hits.map(({ status }) => status)).toEqual([503, 503])
})

test('continues a stalled request after its release', async () => {
  await put('slow', Buffer.from('hello'), 5)
  const stall = store.injectFault(
    { kind: 'stall' },
    { match: ({ path }) => path.endsWith('/slow') },
  )
  const download = get('slow')
  await store.waitFor(({ method, path }) => method === 'GET' && path.endsWith('/slow'))
  expect(stall.hits.map(({ isFinished }) => isFinished)).toEqual([false])
  stall.release()
  expect((await download).toString()).toBe('hello')
})

test('cuts a response before its first byte, after the object was stored, and in its middle', async () => {
  const link = await client.presignedPutObject(bucket, 'cut', 60)
  store.injectFault({ kind: 'cut response' })
  await expect(fetch(link, { method: 'PUT', body: randomBytes(1000) })).rejects.toThrow()
  expect(await get('cut')).toHaveLength(1000)

  store.injectFault({ kind: 'cut response', afterBytes: 100 })
  const stream = await client.getObject(bucket, 'cut')
  const read: Buffer[] = []
  await expect(
    (async () => {
      for await (const chunk of stream) read.push(chunk as Buffer)
    })(),
  ).rejects.toThrow('aborted')
  expect(Buffer.concat(read)).toHaveLength(100)
})

test('cuts a request in its body and stores nothing', async () => {
  const link = await client.presignedPutObject(bucket, 'never', 60)
  store.injectFault({ kind: 'cut request', afterBytes: 1000 })
  await expect(fetch(link, { method: 'PUT', body: randomBytes(100_000) })).rejects.toThrow()
  await expect(client.statObject(bucket, 'never')).rejects.toMatchObject({ code: 'NotFound' })
})

test('refuses connections while down, and serves the same objects on the same port after up', async () => {
  await put('stays', Buffer.from('hello'), 5)
  await store.down()
  await expect(fetch(store.endpoint)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  await store.up()
  expect((await get('stays')).toString()).toBe('hello')
})
