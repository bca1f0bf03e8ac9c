// Sources: documents that presentations are made from.

import { iteratePages } from './pages.ts'
import type { Call, Requests } from './requests.ts'
import { createStreamedForm, isFile, type StreamedFile } from './streamed-form.ts'
import type { CallOptions, CreatingOptions, Download, Source } from './types.ts'

export interface UploadOptions extends CreatingOptions {
  /** How much was sent, from 0 to 1. In browsers only. */
  onProgress?: ((sent: number) => void) | undefined
}

/** The time that the gateway allows for an upload; its own checks end one that stands still. */
const uploadTimeoutMs = 3_600_000

export function createSources({ send, create, remove }: Requests) {
  const at = (id: string, rest = '') => `/sources/${encodeURIComponent(id)}${rest}`

  const post = async (call: Call, options: CreatingOptions): Promise<Source[]> =>
    (await create<{ items: Source[] }>(call, options)).items

  return {
    /**
     * One to ten files. If one is refused, none is kept. Streams are sent as they are read, in Node
     * only, and never twice: neither after a failure nor with another token.
     */
    async upload(
      files: readonly (File | StreamedFile)[],
      { onProgress, ...options }: UploadOptions = {},
    ): Promise<Source[]> {
      const call = { path: '/sources', timeoutMs: uploadTimeoutMs, onProgress }
      if (files.every(isFile)) return post({ ...call, form: formOf(files) }, options)
      const form = createStreamedForm('files', files)
      try {
        return await post({ ...call, form }, options)
      } finally {
        form.close()
      }
    },

    /** Newest first. */
    list: (
      options: { limit?: number | undefined } & CallOptions = {},
    ): AsyncGenerator<Source, void, undefined> => {
      const { limit, signal } = options
      return iteratePages((cursor) => send({ path: '/sources', query: { limit, cursor }, signal }))
    },

    get: (id: string, { signal }: CallOptions = {}) => send<Source>({ path: at(id), signal }),

    /** A link to the file. */
    download: (id: string, { signal }: CallOptions = {}) =>
      send<Download>({ path: at(id, '/download'), signal }),

    delete: (id: string, options: CallOptions = {}) => remove(at(id), options),
  }
}

function formOf(files: readonly File[]): FormData {
  const form = new FormData()
  for (const file of files) form.append('files', file, file.name)
  return form
}
