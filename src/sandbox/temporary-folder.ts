// A temporary folder that goes with its process: removed at the end, or by the next one that asks,
// when the process was killed.

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findLockHolder, lockFolder } from './folder-lock.ts'

export function openTemporaryFolder(purpose: string) {
  const prefix = `presenton-gateway-${purpose}-`
  for (const name of readdirSync(tmpdir()))
    if (name.startsWith(prefix)) removeIfLeftOver(join(tmpdir(), name))
  const path = mkdtempSync(join(tmpdir(), prefix))
  lockFolder(path)
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) }
}

function removeIfLeftOver(path: string): void {
  try {
    // A fresh one may be about to be claimed.
    if (findLockHolder(path) === undefined && Date.now() - statSync(path).mtimeMs > 60_000)
      rmSync(path, { recursive: true })
  } catch {
    // It went meanwhile, or belongs to another user.
  }
}
