// The exported file, from upstream over HTTP or from a mounted copy of its /app_data. The path is
// upstream's word and is trusted no further than /app_data: no way out by `..`, another host, a
// redirect or a symbolic link.

import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import type { CallOptions } from './account.ts'
import type { Exchange, Opened } from './exchange.ts'
import { badFile, fault } from './failures.ts'
import type { AuthKind } from './login.ts'

export interface OpenedFile {
  /**
   * Errors when it is cut, shorter than announced, or stalls. To be read to its end or destroyed.
   */
  body: Readable
  /** As announced; unknown for a chunked answer. Never 0. */
  sizeBytes?: number
}

const root = '/app_data/'

/** The path's segments below `top`; a Problem for one that leads anywhere else. */
export function segmentsBelow(top: string, path: string): string[] {
  const segments = path.startsWith(top) ? path.slice(top.length).split('/') : []
  const odd = (name: string) =>
    name === '' || /^(?:\.|%2e){1,2}$/i.test(name) || /[\0\\]/.test(name)
  if (segments.length === 0 || segments.some(odd)) throw badFile(`the path is not one below ${top}`)
  return segments
}

export async function openRemoteFile(
  {
    exchange,
    auth,
    timeoutMs,
    stallMs,
  }: { exchange: Exchange; auth: AuthKind; timeoutMs: number; stallMs: number },
  { account, signal, path }: CallOptions & { path: string },
): Promise<OpenedFile> {
  // Upstream neither encodes the path it gives (titles with blanks, # and %) nor takes it
  // unencoded. Its files are served as immutable for a year, and are not: hence no-store.
  const encoded = root + segmentsBelow(root, path).map(encodeURIComponent).join('/')
  const headers = { 'cache-control': 'no-store' }
  const opened = await exchange.open(
    { account, subject: 'file', path: encoded, headers, auth, timeoutMs, signal },
    stallMs,
  )
  const length = opened.headers['content-length']
  const sizeBytes = typeof length === 'string' ? Number(length) : undefined
  if (sizeBytes === 0) {
    opened.end()
    throw badFile('the file is empty')
  }
  const body = Readable.from(wholeChunks(opened, sizeBytes), { objectMode: false })
  // Also a body that nobody began to read has a connection to give back.
  body.once('close', opened.end)
  return sizeBytes === undefined ? { body } : { body, sizeBytes }
}

/**
 * A connection that breaks inside a file is a file shorter than announced: while an export is
 * overwritten, upstream's nginx does just that.
 */
async function* wholeChunks(
  opened: Opened,
  sizeBytes: number | undefined,
): AsyncGenerator<Uint8Array> {
  let received = 0
  try {
    for await (const chunk of opened.chunks()) {
      received += chunk.length
      yield chunk
    }
  } catch (error) {
    throw error instanceof Problem && error.code === 'UPSTREAM_ERROR'
      ? badFile('the file was cut', error)
      : error
  }
  if (received === 0 || (sizeBytes !== undefined && received !== sizeBytes))
    throw badFile('the file is not as long as announced')
}

export async function openMountedFile(
  dataDir: string,
  path: string,
  signal: AbortSignal,
): Promise<OpenedFile> {
  const segments = segmentsBelow(root, path)
  signal.throwIfAborted()
  let handle: FileHandle | undefined
  try {
    const expected = join(await realpath(dataDir), ...segments)
    // Not blocking, lest a named pipe hold us for ever.
    handle = await open(expected, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const [stat, name, there] = await Promise.all([
      handle.stat(),
      realpath(expected),
      lstat(expected),
    ])
    if (!stat.isFile() || name !== expected || there.ino !== stat.ino || there.dev !== stat.dev)
      throw badFile('a link leads there')
    if (stat.size === 0) throw badFile('the file is empty')
    const body = Readable.from(handleChunks(handle, stat.size, signal), { objectMode: false })
    const opened = handle
    body.once('close', () => void opened.close().catch(() => undefined))
    return { body, sizeBytes: stat.size }
  } catch (error) {
    await handle?.close().catch(() => undefined)
    if (error instanceof Problem) throw error
    const { code } = error as { code?: unknown }
    const wrong = ['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO', 'ENAMETOOLONG'].includes(String(code))
    throw wrong
      ? badFile('no such file', error)
      : fault('the mounted file cannot be read', { cause: error })
  }
}

async function* handleChunks(
  handle: FileHandle,
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let left = sizeBytes
  while (left > 0) {
    signal.throwIfAborted()
    const { bytesRead, buffer } = await handle.read({
      buffer: Buffer.allocUnsafe(Math.min(left, 65_536)),
    })
    if (bytesRead === 0) throw badFile('the file became shorter')
    left -= bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
