// How many connections there may be at once. Without a bound silent ones would use up the files a
// process may open, and with them the connections to Postgres, Presenton and MinIO. One too many is
// closed as it is accepted, which costs a system call.

import { readFileSync } from 'node:fs'
import type { App } from './base.ts'

export interface ConnectionLimitOptions {
  /** Each event stream has a connection to itself. */
  maxStreams: number
  openFiles?: number
}

/** Besides the streams: requests, and connections kept for the next one. */
const besideStreams = 10_000
/** Left to the rest of the process. */
const spareFiles = 500

export function limitConnections(
  { server }: App,
  { maxStreams, openFiles = openFilesLimit() }: ConnectionLimitOptions,
): void {
  const most = Math.max(openFiles - spareFiles, Math.floor(openFiles / 2))
  server.maxConnections = Math.min(maxStreams + besideStreams, most)
  // Who only keeps a connection for later makes room for who has something to ask; the next to
  // knock is let in.
  server.on('drop', () => server.closeIdleConnections())
}

/** As Linux tells it; elsewhere nothing is known, and the streams alone decide. */
function openFilesLimit(): number {
  try {
    const [, limit] = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return Number(limit ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
