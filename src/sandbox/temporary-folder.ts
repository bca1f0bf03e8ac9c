// A temporary folder that the process removes at its end. After a crash, the next process that
// opens one for the same purpose removes it.

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findLockHolder, lockFolder } from './folder-lock.ts'

export function openTemporaryFolder(purpose: string) {
  const prefix = `presenton-sandbox-${purpose}-`
  for (const name of readdirSync(tmpdir()))
    if (name.startsWith(prefix)) removeIfAbandoned(join(tmpdir(), name))
  const path = mkdtempSync(join(tmpdir(), prefix))
  lockFolder(path)
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) }
}

function removeIfAbandoned(path: string): void {
  try {
    // The process that made a new folder may not have locked it yet.
    const isNew = Date.now() - statSync(path).mtimeMs < 60_000
    if (findLockHolder(path) === undefined && !isNew) rmSync(path, { recursive: true })
  } catch {
    // Another process has removed it, or it belongs to another user.
  }
}
