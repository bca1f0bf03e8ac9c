// The images in slides: generated ones below /app_data/images, icons and placeholders below
// /static. No other path of upstream can be read, and nothing but an image is returned.

import { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import type { CallOptions } from './account.ts'
import type { AuthKind } from './auth.ts'
import type { Calls } from './calls.ts'
import { encodeSegments, plainSegmentsBelow } from './plain-path.ts'

export interface OpenedImage {
  /** Must be read to its end or destroyed. */
  body: Readable
  /** Always `image/…`. */
  contentType: string
  sizeBytes?: number
}

const roots = ['/app_data/images/', '/static/']

interface ImageOptions extends CallOptions {
  calls: Calls
  auth: AuthKind
  /** Not encoded. */
  path: string
  timeoutMs: number
}

/** Rejects with NOT_FOUND if the path leads to no image. */
export async function openUpstreamImage({
  calls,
  path,
  ...options
}: ImageOptions): Promise<OpenedImage> {
  const opened = await calls
    .open({
      ...options,
      routeKind: 'file',
      path: encodeImagePath(path),
      stallMs: options.timeoutMs,
    })
    .catch((error: unknown) => {
      throw error instanceof Problem && error.failure === 'bad-file'
        ? new Problem('NOT_FOUND', { cause: error })
        : error
    })
  const { 'content-type': contentType, 'content-length': length } = opened.headers
  if (typeof contentType !== 'string' || !/^image\/[\w.+-]+/.test(contentType)) {
    opened.close()
    throw new Problem('NOT_FOUND')
  }
  const body = Readable.from(opened.chunks(), { objectMode: false })
  // A body that is destroyed unread never starts its generator, which would close the connection.
  body.once('close', opened.close)
  return { body, contentType, ...(typeof length === 'string' && { sizeBytes: Number(length) }) }
}

function encodeImagePath(path: string): string {
  for (const root of roots) {
    const segments = plainSegmentsBelow(root, path)
    if (segments) return root + encodeSegments(segments)
  }
  throw new Problem('NOT_FOUND')
}
