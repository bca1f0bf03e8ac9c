// A store that wants the bucket before its host: `<bucket>.s3.<domain>`.

import dns from 'node:dns'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openObjectStore, type ObjectStore as TestStore } from '../sandbox/object-store.ts'
import { createObjectStore } from './store.ts'

const lookup = dns.lookup
let server: TestStore
beforeAll(async () => {
  server = await openObjectStore({ domain: 'store.test' })
  vi.spyOn(dns, 'lookup').mockImplementation(((name: string, ...rest: never[]) =>
    Reflect.apply(lookup, dns, [
      name.endsWith('.store.test') ? '127.0.0.1' : name,
      ...rest,
    ])) as never)
})
afterAll(async () => {
  vi.restoreAllMocks()
  await server.close()
})

test('stores, reads, links and removes with S3_ADDRESSING=virtual', async () => {
  const endpoint = `http://s3.store.test:${new URL(server.endpoint).port}`
  const { accessKey, secretKey, region } = server
  const store = createObjectStore({
    ...{ endpoint, publicEndpoint: endpoint, accessKey, secretKey, region },
    addressing: 'virtual',
    bucket: 'decks',
    logger: { warn: () => undefined },
  })
  try {
    await store.ping(AbortSignal.timeout(30_000))
    const sizes = { small: 10, large: 9 * 1024 * 1024 }
    for (const [key, bytes] of Object.entries(sizes)) {
      await store.put({
        key,
        body: Readable.from([Buffer.alloc(bytes, 'x')]),
        contentType: 'text/plain',
        maxBytes: 2 * bytes,
        signal: AbortSignal.timeout(60_000),
      })
      expect(
        await text(Readable.from(await store.readRange({ key, offset: bytes - 3, length: 3 }))),
      ).toBe('xxx')
      const link = { key, fileName: 'a.txt', contentType: 'text/plain', expiresInSeconds: 60 }
      const { url } = await store.presign(link)
      expect(new URL(url).host).toBe(`decks.${new URL(endpoint).host}`)
      const response = await fetch(url)
      expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, bytes])
      await store.remove(key)
      expect((await fetch(url)).status).toBe(404)
    }
  } finally {
    await store.close()
  }
})
