// Reads an uploaded image into memory, which is limited per user and in total. Only a whole image
// of a known type goes to upstream.

import type { FastifyRequest } from 'fastify'
import { Problem } from '../../domain/problem.ts'
import { createBodyBudget } from '../../http/body/body-budget.ts'
import { readParts } from '../../http/body/multipart.ts'
import type { ImageUpload } from '../../presenton/user-images.ts'
import type { Scan } from '../../sources/clamd.ts'
import { imageTypeOf } from '../../sources/image-type.ts'

export interface ReceiveImageOptions {
  maxImageBytes: number
  /** Undefined: images are not scanned. */
  scan: Scan | undefined
}

export interface ImageRequest {
  owner: string
  request: FastifyRequest
  signal: AbortSignal
}

/** Of the whole body. */
const timeoutMs = 300_000
/** For the boundaries and headers of the form. */
const formBytes = 16 * 1024
const mib = 1024 * 1024
/** For any limit of sources: an image is in memory. */
const maxMemoryBytes = 100 * mib
const imagesPerUser = 2
const totalBytes = 200 * mib

export function createReceiveImage({ scan, ...options }: ReceiveImageOptions) {
  const maxImageBytes = Math.min(options.maxImageBytes, maxMemoryBytes)
  const maxBytes = maxImageBytes + formBytes
  const budget = createBodyBudget({
    perUser: imagesPerUser * maxBytes,
    total: Math.max(totalBytes, imagesPerUser * maxBytes),
    waitingPerUser: 8,
    waitingTotal: 200,
    timeoutMs: 30_000,
  })

  async function readImage({ request }: ImageRequest): Promise<Buffer> {
    let image: Buffer | undefined
    for await (const { name, fileName, body } of readParts(request.raw, { maxBytes, timeoutMs })) {
      if (name !== 'file' || fileName === undefined || image)
        throw invalid('must have one part with the name file, and a file name')
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of body) {
        bytes += chunk.length
        if (bytes > maxImageBytes) throw tooLarge(maxImageBytes)
        chunks.push(chunk)
      }
      image = Buffer.concat(chunks)
    }
    if (!image || image.length === 0) throw invalid('is required')
    return image
  }

  /**
   * Acts on the image, which is in memory until then.
   *
   * @throws Problem VALIDATION_FAILED, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, SOURCE_REJECTED,
   * SCANNER_UNAVAILABLE, RATE_LIMIT_EXCEEDED, REQUEST_TIMEOUT
   */
  return async function withImage<T>(
    upload: ImageRequest,
    act: (image: ImageUpload) => Promise<T>,
  ): Promise<T> {
    const { owner, request, signal } = upload
    const declared = Number(request.headers['content-length'] ?? maxBytes)
    if (declared > maxBytes) throw tooLarge(maxImageBytes)
    const place = budget.reserve(owner, declared)
    const { socket } = request.raw
    const { slowRequests } = request.server
    slowRequests.add(socket)
    try {
      await place.granted
      const bytes = await readImage(upload)
      const type = await imageTypeOf(bytes)
      if (!type)
        throw new Problem('UNSUPPORTED_MEDIA_TYPE', {
          errors: [{ path: '/file', message: 'is not a PNG, JPEG, WebP, GIF, AVIF, BMP or TIFF' }],
        })
      if (scan) await scan(() => only(bytes), signal)
      slowRequests.delete(socket)
      return await act({ ...type, bytes })
    } finally {
      place.release()
      slowRequests.delete(socket)
    }
  }
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

function tooLarge(maxBytes: number): Problem {
  const message = `must have at most ${maxBytes / mib} MiB`
  return new Problem('PAYLOAD_TOO_LARGE', { errors: [{ path: '/file', message }] })
}

const invalid = (message: string) =>
  new Problem('VALIDATION_FAILED', { errors: [{ path: '/file', message }] })
