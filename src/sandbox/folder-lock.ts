// A lock file, so that only one process at a time uses a folder of the sandbox. It names the holder
// by pid and start time: the lock of a killed process is stale, even when its pid is in use again.

import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, startTimeOf } from './processes.ts'

export const lockFileName = 'lock'

export interface FolderLock {
  release(): void
}

/** Returns undefined while a living process, this one included, holds the lock of the folder. */
export function lockFolder(folder: string): FolderLock | undefined {
  const file = join(folder, lockFileName)
  const draft = join(folder, `${lockFileName}-${randomBytes(6).toString('hex')}`)
  writeFileSync(draft, `${process.pid} ${startTimeOf(process.pid)}\n`)
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      if (link(draft, file)) return { release: () => rmSync(file, { force: true }) }
      const found = read(file)
      if (found && isHeld(found)) return undefined
      if (found) removeStale(file, found, `${draft}-stale`)
    }
    return undefined
  } finally {
    rmSync(draft, { force: true })
  }
}

/** The pid of the living process that holds the lock. */
export function findLockHolder(folder: string): number | undefined {
  const found = read(join(folder, lockFileName))
  return found && isHeld(found) ? Number(found.split(' ')[0]) : undefined
}

function isHeld(lock: string): boolean {
  const [pid, startTime] = lock.trim().split(/ (.*)/)
  return isAlive(Number(pid)) && startTimeOf(Number(pid)) === startTime
}

/**
 * Removes the lock file if it is still the stale one. Another process may have replaced it since it
 * was read; then that process's lock is put back.
 */
function removeStale(file: string, stale: string, aside: string): void {
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  if (read(aside) !== stale) link(aside, file)
  rmSync(aside, { force: true })
}

/** False when `to` exists. Unlike a rename, a hard link never replaces a file. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
