// Reads a document from the store, piece by piece, in the form in which upstream gets it.

import { Problem } from '../domain/problem.ts'
import type { ObjectStore } from './store.ts'
import { isRefusal } from './store-problem.ts'
import { encodingOfMark } from './text-encoding.ts'

export interface StoredSource {
  objectKey: string
  contentType: string
  sizeBytes: number
}

export interface OpenSourceOptions {
  objects: Pick<ObjectStore, 'readRange'>
  signal: AbortSignal
}

export interface OpenedSource {
  /** Undefined where it is only known at the end. */
  sizeBytes: number | undefined
  /** May be called again. */
  open: () => AsyncIterable<Uint8Array>
}

const rangeBytes = 1024 * 1024
const markBytes = 3

/**
 * Text goes out as UTF-8 without a byte order mark.
 *
 * @throws Problem STORAGE_UNAVAILABLE
 */
export async function openSource(
  options: OpenSourceOptions,
  source: StoredSource,
): Promise<OpenedSource> {
  const { sizeBytes } = source
  const isText = source.contentType.startsWith('text/')
  const encoding = isText
    ? encodingOfMark(await readSource(options, source, { offset: 0, length: markBytes }))
    : undefined
  const open = () => chunksOf(options, source)
  if (encoding === undefined) return { sizeBytes, open }
  return { sizeBytes: undefined, open: () => asUtf8(open(), encoding) }
}

async function* chunksOf(
  options: OpenSourceOptions,
  source: StoredSource,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < source.sizeBytes; offset += rangeBytes) {
    const bytes = await readSource(options, source, { offset, length: rangeBytes })
    if (bytes.length === 0) throw new Problem('STORAGE_UNAVAILABLE')
    yield bytes
  }
}

async function* asUtf8(
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(encoding)
  for await (const chunk of chunks) yield Buffer.from(decoder.decode(chunk, { stream: true }))
  yield Buffer.from(decoder.decode())
}

/** Nothing was asked of upstream yet, so a store that is away is waited for. */
async function readSource(
  { objects, signal }: OpenSourceOptions,
  { objectKey: key, sizeBytes }: StoredSource,
  { offset, length }: { offset: number; length: number },
): Promise<Buffer> {
  try {
    const left = Math.min(length, sizeBytes - offset)
    return await objects.readRange({ key, offset, length: left, signal })
  } catch (error) {
    if (!(error instanceof Problem) || isRefusal(error)) throw error
    throw new Problem('STORAGE_UNAVAILABLE', { failure: 'outage', cause: error })
  }
}
