// The number of connections of a server. Without a limit, idle connections could use up the
// process's open files, which the connections to Postgres, Presenton and MinIO need, too.

import { readFileSync } from 'node:fs'
import type { App } from './base.ts'

export interface ConnectionLimitOptions {
  /** Each event stream has its own connection. */
  maxStreams: number
  /** And so has each WebSocket. */
  maxWebSockets?: number
  maxOpenFiles?: number
}

/** For requests and for connections that are kept alive. */
const connectionsBesideStreams = 10_000
/** Files for the rest of the process. */
const reservedFiles = 500

export function limitConnections(
  { server }: App,
  { maxStreams, maxWebSockets = 0, maxOpenFiles = readOpenFilesLimit() }: ConnectionLimitOptions,
): void {
  const byFiles = Math.max(maxOpenFiles - reservedFiles, Math.floor(maxOpenFiles / 2))
  server.maxConnections = Math.min(maxStreams + maxWebSockets + connectionsBesideStreams, byFiles)
  // The dropped client may retry: connections that were only kept alive have been closed by then.
  server.on('drop', () => server.closeIdleConnections())
}

/** Linux tells the limit; elsewhere it is unknown and does not count. */
function readOpenFilesLimit(): number {
  try {
    const [, limit] = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return Number(limit ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
