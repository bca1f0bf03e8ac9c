// The images and fonts in slides: generated images below /app_data/images, what all slides share
// below /app_data/templates, /app_data/fonts and /static. No other path of upstream can be read,
// and nothing but an image or a font is returned.

import { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import type { AuthKind, CallOptions } from './account.ts'
import type { Calls } from './calls.ts'
import { encodeSegments, plainSegmentsBelow } from './plain-path.ts'

export interface OpenedImage {
  /** Must be read to its end or destroyed. */
  body: Readable
  /** Always `image/…` or `font/…`. */
  contentType: string
  sizeBytes?: number
}

const roots = ['/app_data/images/', '/app_data/templates/', '/app_data/fonts/', '/static/']

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
      isCheap: true,
      path: encodeImagePath(path),
      stallMs: options.timeoutMs,
    })
    .catch((error: unknown) => {
      throw error instanceof Problem && error.failure === 'bad-file'
        ? new Problem('NOT_FOUND', { cause: error })
        : error
    })
  const { 'content-type': type, 'content-length': length } = opened.headers
  const contentType = contentTypeOf(path, type)
  if (contentType === undefined) {
    opened.close()
    throw new Problem('NOT_FOUND')
  }
  const body = Readable.from(opened.chunks(), { objectMode: false })
  // A body that is destroyed unread never starts its generator, which would close the connection.
  body.once('close', opened.close)
  return { body, contentType, ...(typeof length === 'string' && { sizeBytes: Number(length) }) }
}

const imageTypes: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  svg: 'image/svg+xml',
  bmp: 'image/bmp',
}

/** Upstream's nginx knows no type for some fonts and images, so the name decides there. */
function contentTypeOf(path: string, type: unknown): string | undefined {
  if (typeof type === 'string' && /^image\/[\w.+-]+/.test(type)) return type
  const [, extension = ''] = /\.(\w+)$/.exec(path.toLowerCase()) ?? []
  if (/^(ttf|otf|woff2?)$/.test(extension)) return `font/${extension}`
  const isUnknown = type === undefined || /^application\/octet-stream\b/.test(String(type))
  return isUnknown ? imageTypes[extension] : undefined
}

function encodeImagePath(path: string): string {
  for (const root of roots) {
    const segments = plainSegmentsBelow(root, path)
    if (segments) return root + encodeSegments(segments)
  }
  throw new Problem('NOT_FOUND')
}
