// An exported file from a mounted copy of upstream's /app_data. Upstream may write links there, so
// only a regular file that no link leads to is read.

import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import { exportSegments, type OpenedFile } from './exported-file.ts'
import { badFile, fault } from './failures.ts'

const chunkBytes = 65_536
/** What an open fails with if the path names no readable regular file. */
const badFileCodes = ['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO', 'ENAMETOOLONG']

export type MountedFileResult = 'read' | 'missing' | 'unreadable'

interface MountedFileOptions {
  /** The mounted copy; it may itself be a link. */
  appDataDir: string
  path: string
  signal: AbortSignal
  /** Told whether the directory has what upstream exported: it may be another one. */
  onResult?: ((result: MountedFileResult) => void) | undefined
}

/** Rejects with a 'bad-file' Problem unless the path names a regular file that is not empty. */
export async function openMountedFile({
  appDataDir,
  path,
  signal,
  onResult,
}: MountedFileOptions): Promise<OpenedFile> {
  const segments = exportSegments(path)
  signal.throwIfAborted()
  // A new export would not help against a directory that is away.
  const directory = await realpath(appDataDir).catch((error: unknown) => {
    onResult?.('unreadable')
    throw fault('the mounted directory cannot be read', { cause: error })
  })
  let handle: FileHandle | undefined
  try {
    const filePath = join(directory, ...segments)
    // O_NONBLOCK: a named pipe must not block the open.
    handle = await open(filePath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const [opened, resolvedPath, named] = await Promise.all([
      handle.stat(),
      realpath(filePath),
      lstat(filePath),
    ])
    const isSameFile = named.ino === opened.ino && named.dev === opened.dev
    if (!opened.isFile() || resolvedPath !== filePath || !isSameFile)
      throw badFile('the path leads through a link or to something other than a file')
    if (opened.size === 0) throw badFile('the file is empty')
    const body = Readable.from(handleChunks(handle, opened.size, signal), { objectMode: false })
    const openHandle = handle
    onResult?.('read')
    body.once('close', () => void openHandle.close().catch(() => undefined))
    return { body, sizeBytes: opened.size }
  } catch (error) {
    await handle?.close().catch(() => undefined)
    if (error instanceof Problem) throw error
    const { code } = error as { code?: unknown }
    onResult?.(code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unreadable')
    throw badFileCodes.includes(String(code))
      ? badFile('no such file', error)
      : fault('the mounted file cannot be read', { cause: error })
  }
}

async function* handleChunks(
  handle: FileHandle,
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let leftBytes = sizeBytes
  while (leftBytes > 0) {
    signal.throwIfAborted()
    const { bytesRead, buffer } = await handle.read({
      buffer: Buffer.allocUnsafe(Math.min(leftBytes, chunkBytes)),
    })
    if (bytesRead === 0) throw badFile('the file became shorter')
    leftBytes -= bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
