// Sends the sources of a run from the store to upstream, one after the other. What upstream returns
// for them is needed only until the outlines are written.

import type { RunSource } from '../database/sources.ts'
import { readRunSources } from '../database/sources.ts'
import { Problem } from '../domain/problem.ts'
import { isRefusal } from '../objects/store-problem.ts'
import { encodingOfMark } from '../objects/text-encoding.ts'
import type { UpstreamAccount } from '../presenton/account.ts'
import type { Context } from './context.ts'

const rangeBytes = 1024 * 1024
const markBytes = 3

/** The handles of the uploaded sources, in the order of the brief. */
export async function uploadSources(context: Context, account: UpstreamAccount): Promise<string[]> {
  const { run, presenton, signal } = context
  // Outlines that exist already hold what the sources said.
  if (run.outlines !== null) return []
  const handles: string[] = []
  for (const source of await readRunSources(context.database, run.id)) {
    const { contentType } = source
    const file = await openSource(context, source)
    handles.push(await presenton.uploadSource({ account, signal, contentType, ...file }))
  }
  return handles
}

/** Text goes out as UTF-8 without a byte order mark. */
async function openSource(
  context: Context,
  source: RunSource,
): Promise<{ sizeBytes: number | undefined; open: () => AsyncIterable<Uint8Array> }> {
  const { sizeBytes } = source
  const isText = source.contentType.startsWith('text/')
  const encoding = isText
    ? encodingOfMark(await readSource(context, source, { offset: 0, length: markBytes }))
    : undefined
  const open = () => chunksOf(context, source)
  if (encoding === undefined) return { sizeBytes, open }
  return { sizeBytes: undefined, open: () => asUtf8(open(), encoding) }
}

async function* chunksOf(context: Context, source: RunSource): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < source.sizeBytes; offset += rangeBytes) {
    const bytes = await readSource(context, source, { offset, length: rangeBytes })
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
  { objects, signal }: Context,
  { objectKey: key, sizeBytes }: RunSource,
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
