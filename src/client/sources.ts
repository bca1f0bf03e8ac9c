// Sources: documents that presentations are made from.

import { iteratePages } from './pages.ts'
import type { Requests } from './requests.ts'
import type { CallOptions, CreatingOptions, Source } from './types.ts'

export interface UploadOptions extends CreatingOptions {
  /** How much was sent, from 0 to 1. In browsers only. */
  onProgress?: ((sent: number) => void) | undefined
}

export function createSources({ send, create, remove }: Requests) {
  const at = (id: string) => `/sources/${encodeURIComponent(id)}`

  return {
    /** One to ten files. If one is refused, none is kept. */
    async upload(
      files: readonly File[],
      { onProgress, ...options }: UploadOptions = {},
    ): Promise<Source[]> {
      const form = new FormData()
      for (const file of files) form.append('files', file, file.name)
      const call = { path: '/sources', form, onProgress }
      return (await create<{ items: Source[] }>(call, options)).items
    },

    /** Newest first. */
    list: (
      options: { limit?: number | undefined } & CallOptions = {},
    ): AsyncGenerator<Source, void, undefined> => {
      const { limit, signal } = options
      return iteratePages((cursor) => send({ path: '/sources', query: { limit, cursor }, signal }))
    },

    delete: (id: string, options: CallOptions = {}) => remove(at(id), options),
  }
}
