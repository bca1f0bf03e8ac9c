import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { openConfiguredObjectStore } from '../sandbox/real-stores.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { createClient } from './calls.ts'
import { InvalidFile } from './invalid-file.ts'
import { createObjectStore } from './store.ts'

// A source of declared length goes out in one PUT while it is read: the store has the first bytes
// before we know that the source is valid.

const MiB = 1024 * 1024
const opened: ReturnType<typeof createObjectStore>[] = []
let server: Awaited<ReturnType<typeof openConfiguredObjectStore>>

beforeAll(async () => {
  server = await openConfiguredObjectStore()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})
afterAll(() => server.close())

function openStore(timeouts: Parameters<typeof createObjectStore>[0]['timeouts'] = {}) {
  const { endpoint, accessKey, secretKey, region } = server
  const store = createObjectStore({
    endpoint,
    publicEndpoint: endpoint,
    accessKey,
    secretKey,
    region,
    bucket: 'decks',
    logger: { warn: vi.fn() },
    timeouts,
  })
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

/** Undefined when there is no such object. */
async function storedSize(key: string): Promise<number | undefined> {
  try {
    return (await createClient(server).statObject('decks', key)).size
  } catch (error) {
    if ((error as { code?: string }).code === 'NotFound') return undefined
    throw error
  }
}

const putRequests = (key: string) =>
  server.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith(`/${key}`))

/** Yields pieces of 100 kB and runs `act` once, after `at` bytes. */
async function* pieces(bytes: Buffer, hook?: { at: number; act: () => Promise<unknown> }) {
  let pending = hook
  for (let at = 0; at < bytes.length; at += 100_000) {
    if (pending && at >= pending.at) {
      await pending.act()
      pending = undefined
    }
    yield bytes.subarray(at, at + 100_000)
  }
  await pending?.act()
}

it.each([1, 8 * MiB, 8 * MiB + 1, 9 * MiB, 20 * MiB])(
  'stores %i bytes in one request and reports their size, hash and tail',
  async (sizeBytes) => {
    const store = openStore()
    const bytes = randomBytes(sizeBytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const key = `complete-${sizeBytes}`
    const { tail, ...stored } = await put(store, {
      key,
      body: Readable.from(pieces(bytes)),
      sizeBytes,
    })
    expect(stored).toEqual({ sizeBytes, sha256 })
    expect(tail.equals(bytes.subarray(-64 * 1024))).toBe(true)
    const content = await store.readRange({ key, offset: 0, length: sizeBytes })
    expect(content.equals(bytes)).toBe(true)
    expect(putRequests(key)).toHaveLength(1)
  },
)

it.each([MiB, 9 * MiB, 10 * MiB - 1])(
  'creates no object of %i bytes before the source has ended without error',
  async (sizeBytes) => {
    const store = openStore()
    const key = `pending-${sizeBytes}`
    const expectNoObject = async () => expect(await storedSize(key)).toBeUndefined()
    await put(store, {
      key,
      body: Readable.from(pieces(randomBytes(sizeBytes), { at: sizeBytes, act: expectNoObject })),
      sizeBytes,
    })
    expect(await storedSize(key)).toBe(sizeBytes)
    const error = new Error('the lease is lost')
    const fail = () => Promise.reject(error)
    const body = Readable.from(pieces(randomBytes(sizeBytes), { at: sizeBytes, act: fail }))
    await expect(put(store, { key: `${key}-lost`, body, sizeBytes })).rejects.toBe(error)
    await waitFor(() =>
      expect(putRequests(`${key}-lost`).every(({ isFinished }) => isFinished)).toBe(true),
    )
    expect(await storedSize(`${key}-lost`)).toBeUndefined()
  },
)

it.each([
  ['longer', 9 * MiB],
  ['longer by a byte', 10 * MiB - 1],
  ['shorter', 12 * MiB],
  ['shorter by a byte', 10 * MiB + 1],
])('refuses a source that is %s than declared and creates no object', async (how, sizeBytes) => {
  const store = openStore()
  const key = `wrong-size-${how.replaceAll(' ', '-')}`
  const refused = put(store, { key, body: Readable.from(pieces(randomBytes(10 * MiB))), sizeBytes })
  await expect(refused).rejects.toBeInstanceOf(InvalidFile)
  await expect(refused).rejects.toMatchObject({
    reason: `has another length than the declared ${sizeBytes} bytes`,
  })
  await waitFor(() => expect(putRequests(key).every(({ isFinished }) => isFinished)).toBe(true))
  expect(await storedSize(key)).toBeUndefined()
})

it.each([
  ['responds 503', { kind: 'status', status: 503 }],
  ['responds 403', { kind: 'status', status: 403 }],
  ['closes the connection at once', { kind: 'cut request', afterBytes: 0 }],
  ['closes the connection in the middle of the body', { kind: 'cut request', afterBytes: 5 * MiB }],
  ['closes the connection before it responds', { kind: 'cut response' }],
] as const)('rejects with STORAGE_UNAVAILABLE when the store %s', async (_how, fault) => {
  const store = openStore()
  server.injectFault(fault, {
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

it('reports the error code of the store and rechecks the bucket after NoSuchBucket', async () => {
  const store = openStore()
  await store.ensureBucket()
  const body = '<?xml version="1.0"?><Error><Code>NoSuchBucket</Code></Error>'
  server.injectFault(
    { kind: 'status', status: 404, body },
    { match: ({ path }) => path.endsWith('/no-bucket') },
  )
  const failing = put(store, {
    key: 'no-bucket',
    body: Readable.from([Buffer.alloc(9 * MiB)]),
    sizeBytes: 9 * MiB,
  })
  await expect(failing).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    cause: { code: 'NoSuchBucket' },
  })
  const requestsBefore = server.requests.length
  await put(store, { key: 'no-bucket', body: Readable.from(['x']), sizeBytes: 1 })
  expect(server.requests[requestsBefore]).toMatchObject({ method: 'HEAD' })
})

it('stops when its signal aborts, while the store stalls or the source is silent', async () => {
  const store = openStore()
  await store.ensureBucket()
  const reason = new Error('the lease is lost')
  const stall = server.injectFault({ kind: 'stall' })
  const whileStalled = new AbortController()
  const key = 'aborted'
  const bytes = randomBytes(20 * MiB)
  const sending = put(store, {
    key,
    body: Readable.from(pieces(bytes)),
    sizeBytes: 20 * MiB,
    signal: whileStalled.signal,
  })
  await waitFor(() => expect(stall.hits).toHaveLength(1))
  whileStalled.abort(reason)
  await expect(sending).rejects.toBe(reason)
  stall.release()

  const whileSilent = new AbortController()
  const body = new Readable({ read() {} })
  body.push(randomBytes(9 * MiB))
  const waiting = put(store, { key, body, sizeBytes: 20 * MiB, signal: whileSilent.signal })
  await server.waitFor(({ method, path }) => method === 'PUT' && path.endsWith(`/${key}`), {
    count: 2,
  })
  whileSilent.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  expect(body.destroyed).toBe(true)
})

it('times out on a silent store, but not on a source that pauses as long', async () => {
  const store = openStore({ idleMs: 1_000 })
  // During the pause only the timeout of the source runs.
  const pause = () => delay(1_300)
  const body = Readable.from(pieces(randomBytes(12 * MiB), { at: 10 * MiB, act: pause }))
  expect(await put(store, { key: 'slow', body, sizeBytes: 12 * MiB })).toMatchObject({
    sizeBytes: 12 * MiB,
  })
  const stall = server.injectFault({ kind: 'stall' })
  const stalled = put(store, {
    key: 'stalled',
    body: Readable.from(pieces(randomBytes(20 * MiB))),
    sizeBytes: 20 * MiB,
  })
  await expect(stalled).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  stall.release()
})
