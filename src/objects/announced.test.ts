import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { openConfiguredObjectStore } from '../sandbox/minio.ts'
import { createObjectStore } from './store.ts'

// A file whose length is known goes out in one PUT while it comes in: what must hold although the
// store has it before we have read it all.

const MiB = 1024 * 1024
const opened: ReturnType<typeof createObjectStore>[] = []
let outside: Awaited<ReturnType<typeof openConfiguredObjectStore>>

beforeAll(async () => {
  outside = await openConfiguredObjectStore()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})
afterAll(() => outside.close())

function openStore(times: Parameters<typeof createObjectStore>[0]['times'] = {}) {
  const { endpoint, accessKey, secretKey, region } = outside
  const place = {
    endpoint,
    publicEndpoint: endpoint,
    accessKey,
    secretKey,
    region,
    bucket: 'decks',
  }
  const store = createObjectStore({ ...place, logger: { warn: vi.fn() }, times })
  opened.push(store)
  return store
}

interface Put {
  key: string
  body: Readable
  sizeBytes: number
  signal?: AbortSignal
}

const put = (
  store: ReturnType<typeof createObjectStore>,
  { signal = new AbortController().signal, ...rest }: Put,
) => store.put({ ...rest, contentType: 'application/pdf', maxBytes: 64 * MiB, signal })

const putsOf = (key: string) =>
  outside.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith(`/${key}`))

async function* pieces(bytes: Buffer, meanwhile?: { at: number; act: () => Promise<unknown> }) {
  for (let at = 0; at < bytes.length; at += 100_000) {
    if (meanwhile && at >= meanwhile.at) {
      await meanwhile.act()
      meanwhile = undefined
    }
    yield bytes.subarray(at, at + 100_000)
  }
  await meanwhile?.act()
}

it.each([1, 8 * MiB, 8 * MiB + 1, 9 * MiB, 20 * MiB])(
  'stores %i bytes in one request, measured on the way',
  async (sizeBytes) => {
    const store = openStore()
    const bytes = randomBytes(sizeBytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const key = `whole-${sizeBytes}`
    const { tail, ...stored } = await put(store, {
      key,
      body: Readable.from(pieces(bytes)),
      sizeBytes,
    })
    expect(stored).toEqual({ sizeBytes, sha256 })
    expect(tail.equals(bytes.subarray(-64 * 1024))).toBe(true)
    expect((await store.readRange(key, 0, sizeBytes)).equals(bytes)).toBe(true)
    expect(putsOf(key)).toHaveLength(1)
  },
)

it.each([MiB, 9 * MiB, 10 * MiB - 1])(
  'shows nothing of %i bytes before the source says that they are all',
  async (sizeBytes) => {
    const store = openStore()
    const key = `held-${sizeBytes}`
    const act = async () => expect(await store.statSize(key)).toBeUndefined()
    await put(store, {
      key,
      body: Readable.from(pieces(randomBytes(sizeBytes), { at: sizeBytes, act })),
      sizeBytes,
    })
    expect(await store.statSize(key)).toBe(sizeBytes)
    const error = new Error('the lease is lost')
    const fail = () => Promise.reject(error)
    const body = Readable.from(pieces(randomBytes(sizeBytes), { at: sizeBytes, act: fail }))
    await expect(put(store, { key: `${key}-lost`, body, sizeBytes })).rejects.toBe(error)
    await vi.waitFor(() =>
      expect(putsOf(`${key}-lost`).every(({ isFinished }) => isFinished)).toBe(true),
    )
    expect(await store.statSize(`${key}-lost`)).toBeUndefined()
  },
)

it.each([
  ['longer', 9 * MiB],
  ['longer by a byte', 10 * MiB - 1],
  ['shorter', 12 * MiB],
  ['shorter by a byte', 10 * MiB + 1],
])(
  'refuses a source that is %s than announced, and stores nothing of it',
  async (how, sizeBytes) => {
    const store = openStore()
    const key = `odd-${how.replaceAll(' ', '-')}`
    const failing = put(store, {
      key,
      body: Readable.from(pieces(randomBytes(10 * MiB))),
      sizeBytes,
    })
    await expect(failing).rejects.toMatchObject({ code: 'UPSTREAM_ERROR', failure: 'bad-file' })
    await vi.waitFor(() => expect(putsOf(key).every(({ isFinished }) => isFinished)).toBe(true))
    expect(await store.statSize(key)).toBeUndefined()
  },
)

it.each([
  ['answers 503', { kind: 'status', status: 503 }],
  ['answers 403', { kind: 'status', status: 403 }],
  ['breaks the connection at once', { kind: 'cut request', afterBytes: 0 }],
  ['breaks the connection in the middle of the body', { kind: 'cut request', afterBytes: 5 * MiB }],
  ['breaks the connection before it answers', { kind: 'cut response' }],
] as const)('says STORAGE_UNAVAILABLE when the store %s', async (_how, fault) => {
  const store = openStore()
  outside.injectFault(fault, {
    match: ({ method, path }) => method === 'PUT' && path.endsWith('/refused'),
  })
  const body = Readable.from(pieces(randomBytes(20 * MiB)))
  const failing = put(store, { key: 'refused', body, sizeBytes: 20 * MiB })
  await expect(failing).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    cause: expect.any(Error),
  })
  expect(body.destroyed).toBe(true)
  await put(store, {
    key: 'refused',
    body: Readable.from([Buffer.alloc(9 * MiB)]),
    sizeBytes: 9 * MiB,
  })
})

it('knows what a store says in its refusal, and makes a bucket that is gone again', async () => {
  const store = openStore()
  await store.ensureBucket()
  const body = '<?xml version="1.0"?><Error><Code>NoSuchBucket</Code></Error>'
  outside.injectFault(
    { kind: 'status', status: 404, body },
    { match: ({ path }) => path.endsWith('/homeless') },
  )
  const failing = put(store, {
    key: 'homeless',
    body: Readable.from([Buffer.alloc(9 * MiB)]),
    sizeBytes: 9 * MiB,
  })
  await expect(failing).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    cause: { code: 'NoSuchBucket' },
  })
  const asked = outside.requests.length
  await put(store, { key: 'homeless', body: Readable.from(['x']), sizeBytes: 1 })
  expect(outside.requests[asked]).toMatchObject({ method: 'HEAD' })
})

it('stops at once when its signal aborts, while the store takes nothing or the source is silent', async () => {
  const store = openStore()
  await store.ensureBucket()
  const reason = new Error('the lease is lost')
  const stall = outside.injectFault({ kind: 'stall' })
  const midway = new AbortController()
  const key = 'aborted'
  const bytes = randomBytes(20 * MiB)
  const sending = put(store, {
    key,
    body: Readable.from(pieces(bytes)),
    sizeBytes: 20 * MiB,
    signal: midway.signal,
  })
  await vi.waitFor(() => expect(stall.hits).toHaveLength(1))
  midway.abort(reason)
  await expect(sending).rejects.toBe(reason)
  stall.release()

  const silent = new AbortController()
  const body = new Readable({ read() {} })
  body.push(randomBytes(9 * MiB))
  const waiting = put(store, { key, body, sizeBytes: 20 * MiB, signal: silent.signal })
  await outside.waitFor(({ method, path }) => method === 'PUT' && path.endsWith(`/${key}`), {
    count: 2,
  })
  silent.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  expect(body.destroyed).toBe(true)
})

it('does not wait for ever for a silent store, and lets a source be slower than a store may be', async () => {
  const store = openStore({ idleMs: 1_000 })
  // The source's own clock is the only one that runs meanwhile.
  const act = () => delay(1_300)
  const body = Readable.from(pieces(randomBytes(12 * MiB), { at: 10 * MiB, act }))
  expect(await put(store, { key: 'slow', body, sizeBytes: 12 * MiB })).toMatchObject({
    sizeBytes: 12 * MiB,
  })
  const stall = outside.injectFault({ kind: 'stall' })
  const stuck = put(store, {
    key: 'stuck',
    body: Readable.from(pieces(randomBytes(20 * MiB))),
    sizeBytes: 20 * MiB,
  })
  await expect(stuck).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  stall.release()
})
