// How files get into a store. Runs on the emulated one, and on those that S3_TEST_SERVERS names.

import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { listTestedStores } from '../sandbox/real-stores.ts'
import { MiB, openStoreWorld, put, type StoreWorld } from '../sandbox/store-world.ts'
import { InvalidFile, SourceTimeout } from './invalid-file.ts'

/** Yields pieces of 100 kB, like a socket; fails after that many bytes if requested. */
async function* pieces(bytes: Buffer, fail?: { after: number; error: Error }) {
  for (let at = 0; at < bytes.length; at += 100_000) {
    if (fail && at >= fail.after) throw fail.error
    yield bytes.subarray(at, at + 100_000)
  }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

let world: StoreWorld

describe.each(listTestedStores())('with $name', ({ name, open }) => {
  beforeAll(async () => {
    world = await openStoreWorld({ name, open })
  })
  afterEach(async () => {
    await world.closeStores()
    expect(await world.unfinishedUploads('decks')).toEqual([])
  })
  afterAll(() => world.close())

  describe('put', () => {
    it.each([1, 70_000, 8 * MiB - 1, 8 * MiB, 8 * MiB + 1, 20 * MiB])(
      'stores %i bytes and reports their size, hash and tail',
      async (size) => {
        const store = world.openStore()
        const bytes = randomBytes(size)
        const {
          sizeBytes,
          sha256: sum,
          tail,
        } = await put(store, `complete-${size}`, Readable.from(pieces(bytes)))
        expect({ sizeBytes, sum }).toEqual({ sizeBytes: size, sum: sha256(bytes) })
        expect(tail.equals(bytes.subarray(-64 * 1024))).toBe(true)
        expect(await world.storedSize(`complete-${size}`)).toBe(size)
        const stored = await store.readRange({
          key: `complete-${size}`,
          offset: 0,
          length: size + 5,
        })
        expect(sha256(stored)).toBe(sum)
      },
    )

    it('accepts a source of strings and typed arrays', async () => {
      const store = world.openStore()
      await put(store, 'mixed', Readable.from(['äb', new Uint8Array([1, 2]), Buffer.from('c')]))
      const stored = await store.readRange({ key: 'mixed', offset: 0, length: 10 })
      expect(stored.toString()).toBe('äb\u0001\u0002c')
    })

    it('refuses an empty source and one that is too large, and creates no object', async () => {
      const store = world.openStore()
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
      expect([await world.storedSize('empty'), await world.storedSize('large')]).toEqual([
        undefined,
        undefined,
      ])
    })

    it.each([0, 300_000, 9 * MiB, 17 * MiB])(
      'rejects with the error of a source that fails after %i bytes, and removes the sent parts',
      async (after) => {
        const store = world.openStore()
        const error = new Error('the source failed')
        const body = Readable.from(pieces(randomBytes(20 * MiB), { after, error }))
        await expect(put(store, `failed-${after}`, body)).rejects.toBe(error)
        await store.close()
        expect(await world.unfinishedUploads('decks')).toEqual([])
        expect(await world.storedSize(`failed-${after}`)).toBeUndefined()
      },
    )

    it('rejects when the source is destroyed before or while it is read', async () => {
      const store = world.openStore()
      const destroyedBefore = new Readable({ read() {} })
      destroyedBefore.on('error', () => undefined)
      destroyedBefore.destroy(new Error('destroyed before'))
      await expect(put(store, 'destroyed', destroyedBefore)).rejects.toThrow('destroyed before')

      // While the bucket is being created.
      const destroyedEarly = new Readable({ read() {} })
      const early = put(world.openStore(), 'destroyed', destroyedEarly)
      destroyedEarly.destroy(new Error('destroyed early'))
      await expect(early).rejects.toThrow('destroyed early')

      const destroyedWithoutError = new Readable({ read() {} })
      const withoutError = put(store, 'destroyed', destroyedWithoutError)
      destroyedWithoutError.push('some')
      destroyedWithoutError.destroy()
      await expect(withoutError).rejects.toThrow()
    })

    it('stops when its signal aborts: before it starts, on a silent source, in a part', async () => {
      const store = world.openStore()
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
      const stall = world.server.injectFault(
        { kind: 'stall' },
        { match: ({ query }) => query.get('partNumber') === '2' },
      )
      const sending = put(store, 'aborted', Readable.from(pieces(randomBytes(20 * MiB))), {
        signal: duringPart.signal,
      })
      const [stalled] = await world.server.waitFor(
        ({ query }) => query.get('partNumber') === '2' && query.has('uploadId'),
      )
      expect(stalled).toBeDefined()
      duringPart.abort(reason)
      await expect(sending).rejects.toBe(reason)
      stall.release()
    })

    it('times out on a silent source, a silent store, and a slow upload', async () => {
      const store = world.openStore({ timeouts: { sourceIdleMs: 50, idleMs: 1_000 } })
      await store.ensureBucket()
      const silent = new Readable({ read() {} })
      await expect(put(store, 'silent', silent)).rejects.toBeInstanceOf(SourceTimeout)
      const stall = world.server.injectFault({ kind: 'stall' })
      await expect(put(store, 'silent', Readable.from(['x']))).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
      })
      stall.release()
      const shortTotal = world.openStore({ timeouts: { putMs: 50 } })
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
        const store = world.openStore()
        world.server.injectFault(fault, { match: ({ query }) => query.get('partNumber') === '2' })
        const failing = put(store, 'refused', Readable.from(pieces(randomBytes(20 * MiB))))
        await expect(failing).rejects.toMatchObject({
          code: 'STORAGE_UNAVAILABLE',
          cause: expect.any(Error),
        })
        await store.close()
        expect(await world.unfinishedUploads('decks')).toEqual([])
      },
    )

    it('rejects with STORAGE_UNAVAILABLE only while the store is down', async () => {
      const store = world.openStore()
      await world.server.down()
      const all = [
        put(store, 'down', Readable.from(['x'])),
        store.readRange({ key: 'down', offset: 0, length: 1 }),
        store.remove('down'),
        store.ping(),
        store.ensureBucket(),
      ]
      const outcomes = await Promise.allSettled(all)
      await world.server.up()
      expect(
        outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code),
      ).toEqual(all.map(() => 'STORAGE_UNAVAILABLE'))
      await put(store, 'down', Readable.from(['x']))
      expect(await world.storedSize('down')).toBe(1)
    })

    it('keeps the minio client from writing to the console', async () => {
      const consoleWarn = vi.spyOn(console, 'warn')
      world.server.injectFault(
        { kind: 'status', status: 503 },
        { match: ({ method }) => method === 'HEAD' },
      )
      await expect(put(world.openStore(), 'quiet', Readable.from(['x']))).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
      })
      expect(consoleWarn).not.toHaveBeenCalled()
      expect(world.warnings).toEqual([])
    })
  })
})
