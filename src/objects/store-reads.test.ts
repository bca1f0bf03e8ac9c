// The bucket, and how files are read, linked and removed. Runs on the emulated store, and on those
// that S3_TEST_SERVERS names.

import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { listTestedStores } from '../sandbox/real-stores.ts'
import {
  contentType,
  MiB,
  openStoreWorld,
  put,
  type Store,
  type StoreWorld,
} from '../sandbox/store-world.ts'
import { createClient } from './calls.ts'

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

  describe('the bucket', () => {
    it('is created once at first use, also by several replicas at the same time', async () => {
      const bucket = `racing-${randomBytes(4).toString('hex')}`
      const replicas = Array.from({ length: 4 }, () => world.openStore({ bucket }))
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
      const store = world.openStore({ bucket })
      await put(store, 'a', Readable.from(['a']))
      await store.remove('a')
      await createClient(world.server).removeBucket(bucket)
      expect(await world.storedSize('a', bucket)).toBeUndefined()
      await store.remove('a')
      await expect(put(store, 'b', Readable.from(['b']))).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
      })
      expect(await put(store, 'b', Readable.from(['b']))).toMatchObject({ sizeBytes: 1 })
    })

    it('is not needed for a ping, which only checks the credentials', async () => {
      await world.openStore({ bucket: 'never-created' }).ping()
      expect(await createClient(world.server).bucketExists('never-created')).toBe(false)
      await expect(world.openStore({ secretKey: 'wrong-secret-key' }).ping()).rejects.toMatchObject(
        {
          code: 'STORAGE_UNAVAILABLE',
        },
      )
    })
  })

  describe('reading and removing', () => {
    it('reads exactly the range, less at the end, nothing after the end', async () => {
      const store = world.openStore()
      await put(store, 'range', Readable.from(['0123456789']))
      const read = async (offset: number, length: number) =>
        (await store.readRange({ key: 'range', offset, length })).toString()
      expect(
        await Promise.all([read(0, 4), read(4, 3), read(8, 100), read(10, 5), read(3, 0)]),
      ).toEqual(['0123', '456', '89', '', ''])
      await expect(store.readRange({ key: 'missing', offset: 0, length: 4 })).rejects.toMatchObject(
        {
          code: 'STORAGE_UNAVAILABLE',
        },
      )
    })

    it('rejects when a response is cut, and when the signal aborts', async () => {
      const store = world.openStore()
      await put(store, 'cut', Readable.from([randomBytes(MiB)]))
      world.server.injectFault({ kind: 'cut response', afterBytes: 1000 })
      await expect(store.readRange({ key: 'cut', offset: 0, length: MiB })).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
      })
      const stall = world.server.injectFault({ kind: 'stall' })
      const controller = new AbortController()
      const { signal } = controller
      const reading = store.readRange({ key: 'cut', offset: 0, length: MiB, signal })
      controller.abort(new Error('enough'))
      await expect(reading).rejects.toThrow('enough')
      stall.release()
    })

    it('removes an object, and resolves when there is none', async () => {
      const store = world.openStore()
      await put(store, 'removed', Readable.from(['x']))
      await store.remove('removed')
      await store.remove('removed')
      expect(await world.storedSize('removed')).toBeUndefined()
    })
  })

  describe('presign', () => {
    const link = (store: Store, key: string, expiresInSeconds = 900) =>
      store.presign({
        key,
        fileName: `Übersicht "Q1" (50%)'s 売上.pptx`,
        contentType,
        expiresInSeconds,
      })

    it('makes a link with the name and type of the file, which allows no change', async () => {
      const store = world.openStore()
      const key = `presentations/auth0%7Ca%2Fb c'(1)*/deck.pptx`
      await put(store, key, Readable.from(['deck']))
      const { url, expiresAt } = await link(store, key)
      expect(Math.abs(expiresAt.getTime() - Date.now() - 900_000)).toBeLessThan(30_000)
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
      const store = world.openStore()
      await put(store, 'short', Readable.from(['x']))
      const { url, expiresAt } = await link(store, 'short', 1)
      // A real wait: a test can't set the clock of the store.
      await delay(expiresAt.getTime() - Date.now() + 1100)
      expect((await fetch(url)).status).toBe(403)
    })

    it('signs for the public endpoint without a request to the store', async () => {
      const { url } = await link(
        world.openStore({
          endpoint: 'http://127.0.0.1:1',
          publicEndpoint: 'https://files.example',
        }),
        'a',
      )
      expect(new URL(url).origin).toBe('https://files.example')
      expect(
        new URL((await link(world.openStore({ publicEndpoint: 'http://[::1]:9000' }), 'a')).url)
          .host,
      ).toBe('[::1]:9000')
    })
  })
})
