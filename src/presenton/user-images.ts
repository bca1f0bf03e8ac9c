// The images of an account: uploaded ones, generated ones, and what a search of stock images
// finds.

import { Type } from 'typebox'
import { Check } from 'typebox/value'
import { Problem } from '../domain/problem.ts'
import type { CallOptions } from './account.ts'
import type { Calls } from './calls.ts'
import { paths } from './dialect.ts'
import { fault, type ResponseCause, unexpectedResponse } from './failures.ts'
import { createForm } from './form.ts'
import type { PerformOperation } from './operation.ts'
import { plainSegmentsBelow } from './plain-path.ts'

export interface UserImagesOptions {
  calls: Calls
  perform: PerformOperation
  timeoutMs: number
  uploadTimeoutMs: number
}

/** In upstream's form, without its paths on disk. */
export interface UserImage {
  id: string
  created_at: string
  is_uploaded: boolean
  /** Below /app_data/images/, and so is `file_url`. */
  path: string
  file_url: string
  extras: { prompt?: string } | null
}

export interface ImageUpload {
  contentType: string
  /** Without a dot. */
  extension: string
  bytes: Buffer
}

const Stored = Type.Object({
  id: Type.String({ format: 'uuid' }),
  created_at: Type.String({ maxLength: 40 }),
  is_uploaded: Type.Boolean(),
  path: Type.Optional(Type.String()),
  file_url: Type.Optional(Type.String()),
  extras: Type.Optional(Type.Unknown()),
})
const Found = Type.Array(Type.String())

export function createUserImages(options: UserImagesOptions) {
  const { calls, perform, timeoutMs, uploadTimeoutMs } = options
  const common = { routeKind: 'other', isCheap: true } as const

  return {
    /** @throws Problem VALIDATION_FAILED for what upstream cannot open as an image */
    uploadImage: ({ account, signal, ...image }: CallOptions & ImageUpload): Promise<UserImage> =>
      perform({ operation: 'upload-image', signal }, async ({ auth }) => {
        const { bytes, contentType, extension } = image
        const file = { contentType, extension, sizeBytes: bytes.length, open: () => [bytes] }
        const stored = await calls
          .fetchJson({
            ...common,
            account,
            signal,
            auth,
            timeoutMs: uploadTimeoutMs,
            method: 'POST',
            path: paths.uploadImage,
            ...createForm({ part: 'file', ...file }),
          })
          .catch((error: unknown) => {
            throw asInvalidImage(error)
          })
        const shown = toUserImage(stored)
        if (!shown) throw fault('the reply to an upload of an image has an unexpected shape')
        return shown
      }),

    /** Of the account. What is not below /app_data/images/ is left out. */
    listImages: (
      { account, signal }: CallOptions,
      kind: 'generated' | 'uploaded',
    ): Promise<UserImage[]> =>
      perform({ operation: 'images', signal }, async ({ auth }) => {
        const path = paths.images(kind)
        const list = await calls.fetchJson({ ...common, account, signal, auth, timeoutMs, path })
        if (!Array.isArray(list)) throw unexpectedResponse('the list of images is no list')
        return list.flatMap((stored) => toUserImage(stored) ?? [])
      }),

    deleteImage: ({ account, signal }: CallOptions, id: string): Promise<void> =>
      perform({ operation: 'delete-image', signal }, async ({ auth }) => {
        const { status, text } = await calls.send({
          ...common,
          account,
          signal,
          auth,
          timeoutMs,
          method: 'DELETE',
          path: paths.image(id),
          // It responds 500 where the image is gone, or its file.
          expectedStatuses: [404, 500],
        })
        if (status === 500 && !/not found|no such file/i.test(text)) throw fault('status 500')
        if (status === 404 || status === 500) throw new Problem('NOT_FOUND')
      }),

    /** URLs at providers of stock images. */
    searchImages: ({ account, signal }: CallOptions, query: URLSearchParams): Promise<string[]> =>
      perform({ operation: 'search-images', signal }, async ({ auth }) => {
        const path = paths.searchImages(query)
        const found = await calls.fetchJson({ ...common, account, signal, auth, timeoutMs, path })
        if (!Check(Found, found)) throw unexpectedResponse('the found images are no list of texts')
        return found.filter((url) => URL.canParse(url) && new URL(url).protocol === 'https:')
      }),
  }
}

const root = '/app_data/images/'

function toUserImage(stored: unknown): UserImage | undefined {
  if (!Check(Stored, stored)) return undefined
  const { id, created_at, is_uploaded, path = '', file_url: url = path, extras } = stored
  if (!plainSegmentsBelow(root, url)) return undefined
  const { prompt } = (extras ?? {}) as { prompt?: unknown }
  return {
    id,
    created_at,
    is_uploaded,
    path: url,
    file_url: url,
    extras: typeof prompt === 'string' ? { prompt } : null,
  }
}

function asInvalidImage(error: unknown): unknown {
  const { status } = ((error as Problem | undefined)?.cause ?? {}) as Partial<ResponseCause>
  if (!(error instanceof Problem) || status !== 400) return error
  const errors = [{ path: '/file', message: 'is not an image that can be opened' }]
  return new Problem('VALIDATION_FAILED', { errors, cause: error })
}
