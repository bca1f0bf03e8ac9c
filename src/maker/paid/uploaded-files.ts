// Files that the interface has uploaded before: it names them by handles.

import type { UpstreamAccount } from '../../presenton/account.ts'

export interface FilesRequest {
  owner: string
  account: UpstreamAccount
  /** As the interface got them. */
  handles: string[]
  signal: AbortSignal
}

export interface ResolvedFiles {
  /** Their sources, in the same order. */
  sources: string[]
  /** What upstream calls them now. */
  paths: string[]
}

export const noFiles: ResolvedFiles = { sources: [], paths: [] }

/** @throws Problem NOT_FOUND for a handle that is not this user's */
export type ResolveFiles = (request: FilesRequest) => Promise<ResolvedFiles>
