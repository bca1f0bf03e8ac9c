// Stores under test, and what tests ask the server of one directly.

import type { Readable } from 'node:stream'
import { createClient } from '../objects/calls.ts'
import { createObjectStore } from '../objects/store.ts'
import type { ObjectStore as TestServer } from './object-store.ts'
import type { TestedStore } from './real-stores.ts'

export type Store = ReturnType<typeof createObjectStore>

export const MiB = 1024 * 1024
export const contentType =
  'application/vnd.openxmlformats-officedocument.presentationml.presentation'

export type StoreWorld = Awaited<ReturnType<typeof openStoreWorld>>

export async function openStoreWorld({ open }: TestedStore) {
  const server: TestServer = await open()
  const warnings: unknown[] = []
  const logger = { warn: (line: unknown) => warnings.push(line) } as unknown as Parameters<
    typeof createObjectStore
  >[0]['logger']
  const opened: Store[] = []

  /** The keys of multipart uploads that are neither completed nor aborted. */
  async function unfinishedUploads(bucket: string): Promise<string[]> {
    const client = createClient(server)
    if (!(await client.bucketExists(bucket))) return []
    const { uploads } = await client.listIncompleteUploadsQuery(bucket, '', '', '', '')
    return uploads.map(({ key }) => key)
  }

  return {
    server,
    warnings,
    unfinishedUploads,
    openStore(changes: Partial<Parameters<typeof createObjectStore>[0]> = {}): Store {
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
    },
    /** Undefined when there is no such object or bucket. */
    async storedSize(key: string, bucket = 'decks'): Promise<number | undefined> {
      try {
        return (await createClient(server).statObject(bucket, key)).size
      } catch (error) {
        if ((error as { code?: string }).code === 'NotFound') return undefined
        throw error
      }
    },
    closeStores: () => Promise.all(opened.splice(0).map((store) => store.close())),
    close: () => server.close(),
  }
}

export const put = (
  store: Store,
  key: string,
  body: Readable,
  { maxBytes = 64 * MiB, signal = new AbortController().signal } = {},
) => store.put({ key, body, contentType, maxBytes, signal })
