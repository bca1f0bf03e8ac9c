// An exported file over HTTP. The path comes from upstream and is trusted only below /app_data: no
// dot segments, no other host, no redirect.

import { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import type { AuthKind, CallOptions } from './account.ts'
import type { Calls } from './calls.ts'
import { badFile } from './failures.ts'
import type { OpenedBody } from './opened-body.ts'
import { encodeSegments, plainSegmentsBelow } from './plain-path.ts'

export interface OpenedFile {
  /**
   * Errors if the file is cut, shorter than announced, or stalls. Must be read to its end or
   * destroyed.
   */
  body: Readable
  /** As announced; undefined for a chunked response. Never 0. */
  sizeBytes?: number
}

const dataRoot = '/app_data/'

interface ExportedFileOptions extends CallOptions {
  calls: Calls
  auth: AuthKind
  path: string
  timeoutMs: number
  stallMs: number
}

/** Rejects with a 'bad-file' Problem if the path or the response cannot be an exported file. */
export async function openExportedFile({
  calls,
  path,
  ...options
}: ExportedFileOptions): Promise<OpenedFile> {
  const opened = await calls.open({
    ...options,
    routeKind: 'file',
    // Upstream returns the path unencoded, with the blanks, # and % of titles.
    path: dataRoot + encodeSegments(exportSegments(path)),
    // Upstream serves files as immutable for a year, but overwrites them.
    headers: { 'cache-control': 'no-store' },
  })
  const length = opened.headers['content-length']
  const sizeBytes = typeof length === 'string' ? Number(length) : undefined
  if (sizeBytes === 0) {
    opened.close()
    throw badFile('the file is empty')
  }
  const body = Readable.from(wholeChunks(opened, sizeBytes), { objectMode: false })
  // A body that is destroyed unread never starts its generator, which would close the connection.
  body.once('close', opened.close)
  return sizeBytes === undefined ? { body } : { body, sizeBytes }
}

/** The segments below /app_data of an export's path. */
export function exportSegments(path: string): string[] {
  const segments = plainSegmentsBelow(dataRoot, path)
  if (!segments) throw badFile(`the path is not below ${dataRoot}`)
  return segments
}

/**
 * A connection that breaks within a file means a bad file: upstream's nginx cuts a file that a
 * newer export overwrites.
 */
async function* wholeChunks(
  opened: OpenedBody,
  sizeBytes: number | undefined,
): AsyncGenerator<Uint8Array> {
  let receivedBytes = 0
  try {
    for await (const chunk of opened.chunks()) {
      receivedBytes += chunk.length
      yield chunk
    }
  } catch (error) {
    throw error instanceof Problem && error.code === 'UPSTREAM_ERROR'
      ? badFile('the file was cut', error)
      : error
  }
  if (receivedBytes === 0 || (sizeBytes !== undefined && receivedBytes !== sizeBytes))
    throw badFile('the file size differs from the announced one')
}
