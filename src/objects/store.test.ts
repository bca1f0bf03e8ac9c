import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { openConfiguredObjectStore } from '../sandbox/minio.ts'
import { createClient } from './calls.ts'
import { InvalidFile, SourceTimeout } from './invalid-file.ts'
import { createObjectStore } from './store.ts'

const MiB = 1024 * 1024
const contentType = 'application/vnd.openxmlformats-officedocument.presentationml.presentation'
const warn = vi.fn()
const logger = { warn } as unknown as Parameters<typeof createObjectStore>[0]['logger']

let server: Awaited<ReturnType<typeof openConfiguredObjectStore>>
const opened: ReturnType<typeof createObjectStore>[] = []

beforeAll(async () => {
  server = await openConfiguredObjectStore()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
  expect(await unfinishedUploads('decks')).toEqual([])
})
afterAll(() => server.close())

function openStore(changes: Partial<Parameters<typeof createObjectStore>[0]> = {}) {
  const { endpoint, accessKey, secretKey, region } = server
  const store = createObjectStore({
    endpoint,
    publicEndpoint: endpoint,
    accessKey,
    secretKey,
    region,
    bucket: 'decks',
    logger,
    ...changes,
  })
  opened.push(store)
  return store
}

/** Undefined when there is no such object or bucket. */
async function storedSize(key: string, bucket = 'decks'): Promise<number | undefined> {
  try {
    return (await createClient(server).statObject(bucket, key)).size
  } catch (error) {
    if ((error as { code?: string }).code === 'NotFound') return undefined
    throw error
  }
}

/** The keys of multipart uploads that are neither completed nor aborted. */
async function unfinishedUploads(bucket: string): Promise<string[]> {
  const client = createClient(server)
  if (!(await client.bucketExists(bucket))) return []
  const { uploads } = await client.listIncompleteUploadsQuery(bucket, '', '', '', '')
  return uploads.map(({ key }) => key)
}

/** Yields pieces of 100 kB, like a socket; fails after that many bytes if requested. */
async function* pieces(bytes: Buffer, fail?: { after: number; error: Error }) {
  for (let at = 0; at < bytes.length; at += 100_000) {
    if (fail && at >= fail.after) throw fail.error
    yield bytes.subarray(at, at + 100_000)
  }
}

const put = (
  store: ReturnType<typeof createObjectStore>,
  key: string,
  body: Readable,
  { maxBytes = 64 * MiB, signal = new AbortController().signal } = {},
) => store.put({ key, body, contentType, maxBytes, signal })

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe('put', () => {
  it.each([1, 70_000, 8 * MiB - 1, 8 * MiB, 8 * MiB + 1, 20 * MiB])(
    'stores %i bytes and reports their size, hash and tail',
    async (size) => {
      const store = openStore()
      const bytes = randomBytes(size)
      const {
        sizeBytes,
        sha256: sum,
        tail,
      } = await put(store, `complete-${size}`, Readable.from(pieces(bytes)))
      expect({ sizeBytes, sum }).toEqual({ sizeBytes: size, sum: sha256(bytes) })
      expect(tail.equals(bytes.subarray(-64 * 1024))).toBe(true)
      expect(await storedSize(`complete-${size}`)).toBe(size)
      const stored = await store.readRange({ key: `complete-${size}`, offset: 0, length: size + 5 })
      expect(sha256(stored)).toBe(sum)
    },
  )

  it('accepts a source of strings and typed arrays', async () => {
    const store = openStore()
    await put(store, 'mixed', Readable.from(['äb', new Uint8Array([1, 2]), Buffer.from('c')]))
    const stored = await store.readRange({ key: 'mixed', offset: 0, length: 10 })
    expect(stored.toString()).toBe('äb\u0001\u0002c')
  })

  it('refuses an empty source and one that is too large, and creates no object', async () => {
    const store = openStore()
    const empty = put(store, 'empty', Readable.from([]))
    await expect(empty).rejects.toBeInstanceOf(InvalidFile)
    await expect(empty).rejects.toMatchObject({ reason: 'is empty' })
    const endless = Readable.from(
      (async function* () {
        for (;;) yield Buffer.alloc(MiB)
      })(),
    )
    const large = put(store, 'large', endless, { maxBytes: 20 * MiB })
    await expect(large).rejects.toBeInstanceOf(InvalidFile)
    await expect(large).rejects.toMatchObject({ reason: `is larger than ${20 * MiB} bytes` })
    expect(endless.destroyed).toBe(true)
    expect(
      await put(store, 'exact', Readable.from(pieces(Buffer.alloc(MiB))), { maxBytes: MiB }),
    ).toMatchObject({
      sizeBytes: MiB,
    })
    expect([await storedSize('empty'), await storedSize('large')]).toEqual([undefined, undefined])
  })

  it.each([0, 300_000, 9 * MiB, 17 * MiB])(
    'rejects with the error of a source that fails after %i bytes, and removes the sent parts',
    async (after) => {
      const store = openStore()
      const error = new Error('the source failed')
      const body = Readable.from(pieces(randomBytes(20 * MiB), { after, error }))
      await expect(put(store, `failed-${after}`, body)).rejects.toBe(error)
      await store.close()
      expect(await unfinishedUploads('decks')).toEqual([])
      expect(await storedSize(`failed-${after}`)).toBeUndefined()
    },
  )

  it('rejects when the source is destroyed before or while it is read', async () => {
    const store = openStore()
    const destroyedBefore = new Readable({ read() {} })
    destroyedBefore.on('error', () => undefined)
    destroyedBefore.destroy(new Error('destroyed before'))
    await expect(put(store, 'destroyed', destroyedBefore)).rejects.toThrow('destroyed before')

    // While the bucket is being created.
    const destroyedEarly = new Readable({ read() {} })
    const early = put(openStore(), 'destroyed', destroyedEarly)
    destroyedEarly.destroy(new Error('destroyed early'))
    await expect(early).rejects.toThrow('destroyed early')

    const destroyedWithoutError = new Readable({ read() {} })
    const withoutError = put(store, 'destroyed', destroyedWithoutError)
    destroyedWithoutError.push('some')
    destroyedWithoutError.destroy()
    await expect(withoutError).rejects.toThrow()
  })

  it('stops when its signal aborts: before it starts, on a silent source, in a part', async () => {
    const store = openStore()
    const reason = new Error('the lease is lost')
    const aborted = AbortSignal.abort(reason)
    const notStarted = put(store, 'aborted', Readable.from(['x']), { signal: aborted })
    await expect(notStarted).rejects.toBe(reason)

    const whileSilent = new AbortController()
    const body = new Readable({ read() {} })
    body.push(randomBytes(MiB))
    const waiting = put(store, 'aborted', body, { signal: whileSilent.signal })
    setImmediate(() => whileSilent.abort(reason))
    await expect(waiting).rejects.toBe(reason)
    expect(body.destroyed).toBe(true)

    const duringPart = new AbortController()
    const stall = server.injectFault(
      { kind: 'stall' },
      { match: ({ query }) => query.get('partNumber') === '2' },
    )
    const sending = put(store, 'aborted', Readable.from(pieces(randomBytes(20 * MiB))), {
      signal: duringPart.signal,
    })
    const [stalled] = await server.waitFor(
      ({ query }) => query.get('partNumber') === '2' && query.has('uploadId'),
    )
    expect(stalled).toBeDefined()
    duringPart.abort(reason)
    await expect(sending).rejects.toBe(reason)
    stall.release()
  })

  it('times out on a silent source, a silent store, and a slow upload', async () => {
    const store = openStore({ timeouts: { sourceIdleMs: 50, idleMs: 1_000 } })
    await store.ensureBucket()
    const silent = new Readable({ read() {} })
    await expect(put(store, 'silent', silent)).rejects.toBeInstanceOf(SourceTimeout)
    const stall = server.injectFault({ kind: 'stall' })
    await expect(put(store, 'silent', Readable.from(['x']))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    stall.release()
    const shortTotal = openStore({ timeouts: { putMs: 50 } })
    await expect(put(shortTotal, 'silent', new Readable({ read() {} }))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })

  it.each([
    ['responds 503', { kind: 'status', status: 503 }],
    ['responds 500', { kind: 'status', status: 500 }],
    ['responds 403', { kind: 'status', status: 403 }],
    [
      'closes the connection in the middle of the body',
      { kind: 'cut request', afterBytes: 100_000 },
    ],
    ['closes the connection before it responds', { kind: 'cut response' }],
  ] as const)(
    'rejects with STORAGE_UNAVAILABLE when the store %s during a part, and removes the other parts',
    async (_how, fault) => {
      const store = openStore()
      server.injectFault(fault, { match: ({ query }) => query.get('partNumber') === '2' })
      const failing = put(store, 'refused', Readable.from(pieces(randomBytes(20 * MiB))))
      await expect(failing).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        cause: expect.any(Error),
      })
      await store.close()
      expect(await unfinishedUploads('decks')).toEqual([])
    },
  )

  it('rejects with STORAGE_UNAVAILABLE only while the store is down', async () => {
    const store = openStore()
    await server.down()
    const all = [
      put(store, 'down', Readable.from(['x'])),
      store.readRange({ key: 'down', offset: 0, length: 1 }),
      store.remove('down'),
      store.ping(),
      store.ensureBucket(),
    ]
    const outcomes = await Promise.allSettled(all)
    await server.up()
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
      all.map(() => 'STORAGE_UNAVAILABLE'),
    )
    await put(store, 'down', Readable.from(['x']))
    expect(await storedSize('down')).toBe(1)
  })

  it('keeps the minio client from writing to the console', async () => {
    const consoleWarn = vi.spyOn(console, 'warn')
    server.injectFault(
      { kind: 'status', status: 503 },
      { match: ({ method }) => method === 'HEAD' },
    )
    await expect(put(openStore(), 'quiet', Readable.from(['x']))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    expect(consoleWarn).not.toHaveBeenCalled()
    expect(warn).not.toHaveBeenCalled()
  })
})

describe('the bucket', () => {
  it('is created once at first use, also by several replicas at the same time', async () => {
    const bucket = `racing-${randomBytes(4).toString('hex')}`
    const replicas = Array.from({ length: 4 }, () => openStore({ bucket }))
    await Promise.all(
      replicas.flatMap((store, i) =>
        [0, 1].map((j) => put(store, `${i}-${j}`, Readable.from([`${i}-${j}`]))),
      ),
    )
    const content = await replicas[0]?.readRange({ key: '3-1', offset: 0, length: 10 })
    expect(content?.toString()).toBe('3-1')
  })

  it('is created again after it was removed', async () => {
    const bucket = `removed-${randomBytes(4).toString('hex')}`
    const store = openStore({ bucket })
    await put(store, 'a', Readable.from(['a']))
    await store.remove('a')
    await createClient(server).removeBucket(bucket)
    expect(await storedSize('a', bucket)).toBeUndefined()
    await store.remove('a')
    await expect(put(store, 'b', Readable.from(['b']))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    expect(await put(store, 'b', Readable.from(['b']))).toMatchObject({ sizeBytes: 1 })
  })

  it('is not needed for a ping, which only checks the credentials', async () => {
    await openStore({ bucket: 'never-created' }).ping()
    expect(await createClient(server).bucketExists('never-created')).toBe(false)
    await expect(openStore({ secretKey: 'wrong-secret-key' }).ping()).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })
})

describe('reading and removing', () => {
  it('reads exactly the range, less at the end, nothing after the end', async () => {
    const store = openStore()
    await put(store, 'range', Readable.from(['0123456789']))
    const read = async (offset: number, length: number) =>
      (await store.readRange({ key: 'range', offset, length })).toString()
    expect(
      await Promise.all([read(0, 4), read(4, 3), read(8, 100), read(10, 5), read(3, 0)]),
    ).toEqual(['0123', '456', '89', '', ''])
    await expect(store.readRange({ key: 'missing', offset: 0, length: 4 })).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })

  it('rejects when a response is cut, and when the signal aborts', async () => {
    const store = openStore()
    await put(store, 'cut', Readable.from([randomBytes(MiB)]))
    server.injectFault({ kind: 'cut response', afterBytes: 1000 })
    await expect(store.readRange({ key: 'cut', offset: 0, length: MiB })).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    const stall = server.injectFault({ kind: 'stall' })
    const controller = new AbortController()
    const { signal } = controller
    const reading = store.readRange({ key: 'cut', offset: 0, length: MiB, signal })
    controller.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    stall.release()
  })

  it('removes an object, and resolves when there is none', async () => {
    const store = openStore()
    await put(store, 'removed', Readable.from(['x']))
    await store.remove('removed')
    await store.remove('removed')
    expect(await storedSize('removed')).toBeUndefined()
  })
})

describe('presign', () => {
  const link = (store: ReturnType<typeof createObjectStore>, key: string, expiresInSeconds = 900) =>
    store.presign({
      key,
      fileName: `Übersicht "Q1" (50%)'s 売上.pptx`,
      contentType,
      expiresInSeconds,
    })

  it('makes a link with the name and type of the file, which allows no change', async () => {
    const store = openStore()
    const key = `presentations/auth0%7Ca%2Fb c'(1)*/deck.pptx`
    await put(store, key, Readable.from(['deck']))
    const { url, expiresAt } = await link(store, key)
    expect(Math.abs(expiresAt.getTime() - Date.now() - 900_000)).toBeLessThan(1500)
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([200, 'deck'])
    expect(response.headers.get('content-type')).toBe(contentType)
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="[ -~]+"; filename\*=UTF-8''%C3%9Cbersicht/,
    )
    for (const changed of [
      url.replace('deck.pptx?', 'other.pptx?'),
      url.replace('X-Amz-Expires=900', 'X-Amz-Expires=9000'),
      url.replace('attachment', 'inline'),
    ]) {
      expect((await fetch(changed)).status).toBe(403)
    }
  })

  it('expires', async () => {
    const store = openStore()
    await put(store, 'short', Readable.from(['x']))
    const { url, expiresAt } = await link(store, 'short', 1)
    // A real wait: a test can't set the clock of the store.
    await delay(expiresAt.getTime() - Date.now() + 1100)
    expect((await fetch(url)).status).toBe(403)
  })

  it('signs for the public endpoint without a request to the store', async () => {
    const { url } = await link(
      openStore({ endpoint: 'http://127.0.0.1:1', publicEndpoint: 'https://files.example' }),
      'a',
    )
    expect(new URL(url).origin).toBe('https://files.example')
    expect(
      new URL((await link(openStore({ publicEndpoint: 'http://[::1]:9000' }), 'a')).url).host,
    ).toBe('[::1]:9000')
  })
})
