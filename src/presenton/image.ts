// The pictures that slide objects name, for those who may see the deck: generated ones below
// /app_data/images, icons and placeholders below /static. Nothing else of upstream can be asked for
// by path, and nothing that is no picture is given.

import { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import type { CallOptions } from './account.ts'
import type { Exchange } from './exchange.ts'
import { segmentsBelow } from './file.ts'
import type { AuthKind } from './login.ts'

export interface OpenedImage {
  /** To be read to its end or destroyed. */
  body: Readable
  /** Always `image/…`. */
  contentType: string
  sizeBytes?: number
}

const roots = ['/app_data/images/', '/static/']

/** Takes the path unencoded. Rejects with NOT_FOUND for what is no picture there. */
export async function openRemoteImage(
  { exchange, auth, timeoutMs }: { exchange: Exchange; auth: AuthKind; timeoutMs: number },
  { account, signal, path }: CallOptions & { path: string },
): Promise<OpenedImage> {
  try {
    const top = roots.find((root) => path.startsWith(root)) ?? ''
    const encoded =
      top +
      segmentsBelow(top || '/none/', path)
        .map(encodeURIComponent)
        .join('/')
    const opened = await exchange.open(
      { account, subject: 'file', path: encoded, auth, timeoutMs, signal },
      timeoutMs,
    )
    const { 'content-type': contentType, 'content-length': length } = opened.headers
    if (typeof contentType !== 'string' || !/^image\/[\w.+-]+/.test(contentType)) {
      opened.end()
      throw new Problem('NOT_FOUND')
    }
    const body = Readable.from(opened.chunks(), { objectMode: false })
    body.once('close', opened.end)
    return { body, contentType, ...(typeof length === 'string' && { sizeBytes: Number(length) }) }
  } catch (error) {
    if (error instanceof Problem && error.failure === 'bad-file')
      throw new Problem('NOT_FOUND', { cause: error })
    throw error
  }
}
