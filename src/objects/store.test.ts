import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'minio'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { openConfiguredObjectStore } from '../sandbox/minio.ts'
import { createObjectStore } from './store.ts'

const MiB = 1024 * 1024
const contentType = 'application/vnd.openxmlformats-officedocument.presentationml.presentation'
const warn = vi.fn()
const logger = { warn } as unknown as Parameters<typeof createObjectStore>[0]['logger']

let outside: Awaited<ReturnType<typeof openConfiguredObjectStore>>
const opened: ReturnType<typeof createObjectStore>[] = []

beforeAll(async () => {
  outside = await openConfiguredObjectStore()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
  expect(await incomplete('decks')).toEqual([])
})
afterAll(() => outside.close())

function openStore(changes: Partial<Parameters<typeof createObjectStore>[0]> = {}) {
  const { endpoint, accessKey, secretKey, region } = outside
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

function rawClient() {
  const { hostname, port } = new URL(outside.endpoint)
  const { accessKey, secretKey, region } = outside
  return new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey,
    secretKey,
    region,
  })
}

/** The keys of uploads that were begun and neither finished nor taken back. */
async function incomplete(bucket: string): Promise<string[]> {
  const client = rawClient()
  if (!(await client.bucketExists(bucket))) return []
  const { uploads } = await client.listIncompleteUploadsQuery(bucket, '', '', '', '')
  return uploads.map(({ key }) => key)
}

/** In pieces of 100 kB, as they come from a socket; `fail` ends it after that many bytes. */
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
    'stores %i bytes as they came, measured on the way',
    async (size) => {
      const store = openStore()
      const bytes = randomBytes(size)
      const {
        sizeBytes,
        sha256: sum,
        tail,
      } = await put(store, `whole-${size}`, Readable.from(pieces(bytes)))
      expect({ sizeBytes, sum }).toEqual({ sizeBytes: size, sum: sha256(bytes) })
      expect(tail.equals(bytes.subarray(-64 * 1024))).toBe(true)
      expect(await store.statSize(`whole-${size}`)).toBe(size)
      const stored = await store.readRange(`whole-${size}`, 0, size + 5)
      expect(sha256(stored)).toBe(sum)
    },
  )

  it('takes text and typed arrays, too', async () => {
    const store = openStore()
    await put(store, 'mixed', Readable.from(['äb', new Uint8Array([1, 2]), Buffer.from('c')]))
    expect((await store.readRange('mixed', 0, 10)).toString()).toBe('äb\u0001\u0002c')
  })

  it('refuses an empty source and one that is too large, and stores neither', async () => {
    const store = openStore()
    const refused = { code: 'UPSTREAM_ERROR', failure: 'bad-file' }
    await expect(put(store, 'empty', Readable.from([]))).rejects.toMatchObject(refused)
    const endless = Readable.from(
      (async function* () {
        for (;;) yield Buffer.alloc(MiB)
      })(),
    )
    await expect(put(store, 'large', endless, { maxBytes: 20 * MiB })).rejects.toMatchObject(
      refused,
    )
    expect(endless.destroyed).toBe(true)
    expect(
      await put(store, 'exact', Readable.from(pieces(Buffer.alloc(MiB))), { maxBytes: MiB }),
    ).toMatchObject({
      sizeBytes: MiB,
    })
    expect([await store.statSize('empty'), await store.statSize('large')]).toEqual([
      undefined,
      undefined,
    ])
  })

  it.each([0, 300_000, 9 * MiB, 17 * MiB])(
    'passes on the error of a source that fails after %i bytes, and takes back what was sent',
    async (after) => {
      const store = openStore()
      const error = new Error('upstream hung up')
      const body = Readable.from(pieces(randomBytes(20 * MiB), { after, error }))
      await expect(put(store, `failed-${after}`, body)).rejects.toBe(error)
      await store.close()
      expect(await incomplete('decks')).toEqual([])
      expect(await openStore().statSize(`failed-${after}`)).toBeUndefined()
    },
  )

  it('fails when the source was torn before it was read, or is torn while the bucket is made', async () => {
    const store = openStore()
    const torn = new Readable({ read() {} })
    torn.on('error', () => undefined)
    torn.destroy(new Error('torn before'))
    await expect(put(store, 'torn', torn)).rejects.toThrow('torn before')
    const body = new Readable({ read() {} })
    const failing = put(openStore(), 'torn', body)
    body.destroy(new Error('torn meanwhile'))
    await expect(failing).rejects.toThrow('torn meanwhile')
    const cut = new Readable({ read() {} })
    const cutting = put(store, 'torn', cut)
    cut.push('some')
    cut.destroy()
    await expect(cutting).rejects.toThrow()
  })

  it('stops at once when its signal aborts, while the source is silent, while a part is on its way, or before it began', async () => {
    const store = openStore()
    const reason = new Error('the lease is lost')
    const before = AbortSignal.abort(reason)
    await expect(put(store, 'aborted', Readable.from(['x']), { signal: before })).rejects.toBe(
      reason,
    )

    const silent = new AbortController()
    const body = new Readable({ read() {} })
    body.push(randomBytes(MiB))
    const waiting = put(store, 'aborted', body, { signal: silent.signal })
    setImmediate(() => silent.abort(reason))
    await expect(waiting).rejects.toBe(reason)
    expect(body.destroyed).toBe(true)

    const midway = new AbortController()
    const stall = outside.injectFault(
      { kind: 'stall' },
      { match: ({ query }) => query.get('partNumber') === '2' },
    )
    const sending = put(store, 'aborted', Readable.from(pieces(randomBytes(20 * MiB))), {
      signal: midway.signal,
    })
    const [stalled] = await outside.waitFor(
      ({ query }) => query.get('partNumber') === '2' && query.has('uploadId'),
    )
    expect(stalled).toBeDefined()
    midway.abort(reason)
    await expect(sending).rejects.toBe(reason)
    stall.release()
  })

  it('does not wait for ever: neither for a silent source nor for a silent store', async () => {
    const store = openStore({ times: { sourceIdleMs: 50, idleMs: 1_000 } })
    await store.ensureBucket()
    const silent = new Readable({ read() {} })
    await expect(put(store, 'silent', silent)).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      failure: 'fault',
    })
    const stall = outside.injectFault({ kind: 'stall' })
    await expect(put(store, 'silent', Readable.from(['x']))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    stall.release()
    const byTotal = openStore({ times: { putMs: 50 } })
    await expect(put(byTotal, 'silent', new Readable({ read() {} }))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })

  it.each([
    ['answers 503', { kind: 'status', status: 503 }],
    ['answers 500', { kind: 'status', status: 500 }],
    ['answers 403', { kind: 'status', status: 403 }],
    [
      'breaks the connection in the middle of the body',
      { kind: 'cut request', afterBytes: 100_000 },
    ],
    ['breaks the connection before it answers', { kind: 'cut response' }],
  ] as const)(
    'says STORAGE_UNAVAILABLE when the store %s to a part, and takes back the others',
    async (_how, fault) => {
      const store = openStore()
      outside.injectFault(fault, { match: ({ query }) => query.get('partNumber') === '2' })
      const failing = put(store, 'refused', Readable.from(pieces(randomBytes(20 * MiB))))
      await expect(failing).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        cause: expect.any(Error),
      })
      await store.close()
      expect(await incomplete('decks')).toEqual([])
    },
  )

  it('says STORAGE_UNAVAILABLE while the store is down, and works once it is back', async () => {
    const store = openStore()
    await outside.down()
    const all = [
      put(store, 'down', Readable.from(['x'])),
      store.readRange('down', 0, 1),
      store.statSize('down'),
      store.remove('down'),
      store.ping(),
      store.ensureBucket(),
    ]
    const outcomes = await Promise.allSettled(all)
    await outside.up()
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
      all.map(() => 'STORAGE_UNAVAILABLE'),
    )
    await put(store, 'down', Readable.from(['x']))
    expect(await store.statSize('down')).toBe(1)
  })

  it('writes nothing to the console, though the client would', async () => {
    const consoleWarn = vi.spyOn(console, 'warn')
    outside.injectFault(
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
  it('is made at first need, once, also when several replicas need it at the same time', async () => {
    const bucket = `racing-${randomBytes(4).toString('hex')}`
    const replicas = Array.from({ length: 4 }, () => openStore({ bucket }))
    await Promise.all(
      replicas.flatMap((store, i) =>
        [0, 1].map((j) => put(store, `${i}-${j}`, Readable.from([`${i}-${j}`]))),
      ),
    )
    expect((await replicas[0]?.readRange('3-1', 0, 10))?.toString()).toBe('3-1')
  })

  it('is made again after somebody removed it', async () => {
    const bucket = `removed-${randomBytes(4).toString('hex')}`
    const store = openStore({ bucket })
    await put(store, 'a', Readable.from(['a']))
    await store.remove('a')
    await rawClient().removeBucket(bucket)
    expect(await store.statSize('a')).toBeUndefined()
    await store.remove('a')
    await expect(put(store, 'b', Readable.from(['b']))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    expect(await put(store, 'b', Readable.from(['b']))).toMatchObject({ sizeBytes: 1 })
  })

  it('is not needed for a ping, which only wants an answer', async () => {
    await openStore({ bucket: 'never-made' }).ping()
    expect(await rawClient().bucketExists('never-made')).toBe(false)
    await expect(openStore({ secretKey: 'wrong-secret-key' }).ping()).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })
})

describe('reading and removing', () => {
  it('reads exactly the range, less at the end, nothing behind it', async () => {
    const store = openStore()
    await put(store, 'range', Readable.from(['0123456789']))
    const read = async (offset: number, length: number) =>
      (await store.readRange('range', offset, length)).toString()
    expect(
      await Promise.all([read(0, 4), read(4, 3), read(8, 100), read(10, 5), read(3, 0)]),
    ).toEqual(['0123', '456', '89', '', ''])
    await expect(store.readRange('missing', 0, 4)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
  })

  it('fails when an answer breaks off, and stops when the signal aborts', async () => {
    const store = openStore()
    await put(store, 'cut', Readable.from([randomBytes(MiB)]))
    outside.injectFault({ kind: 'cut response', afterBytes: 1000 })
    await expect(store.readRange('cut', 0, MiB)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    const stall = outside.injectFault({ kind: 'stall' })
    const controller = new AbortController()
    const reading = store.readRange('cut', 0, MiB, controller.signal)
    controller.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    stall.release()
  })

  it('removes, and does not mind that nothing is there', async () => {
    const store = openStore()
    await put(store, 'gone', Readable.from(['x']))
    await store.remove('gone')
    await store.remove('gone')
    expect(await store.statSize('gone')).toBeUndefined()
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

  it('makes a link that anybody can follow and nobody can change, with the name and type of the file', async () => {
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
    // The one wait for the clock: the store's own, which no test can turn.
    await delay(expiresAt.getTime() - Date.now() + 1100)
    expect((await fetch(url)).status).toBe(403)
  })

  it('signs for the public address and asks nobody, so it also works while the store is down', async () => {
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
