// One process at a time may use a folder of the sandbox. The claim is a file that names its holder
// by pid and start time, so that what a killed process left behind is recognised as left behind,
// also when its pid is somebody else's by now.

import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, startTimeOf } from './processes.ts'

export interface FolderLock {
  release(): void
}

/** Undefined while another process (or this one) holds the folder. The folder must exist. */
export function lockFolder(folder: string): FolderLock | undefined {
  const file = join(folder, 'claim')
  const aside = join(folder, `claim-${randomBytes(6).toString('hex')}`)
  writeFileSync(aside, `${process.pid} ${startTimeOf(process.pid)}\n`)
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      if (link(aside, file)) return { release: () => rmSync(file, { force: true }) }
      const found = read(file)
      if (found && isHeld(found)) return undefined
      if (found) discard(file, found, `${aside}-stale`)
    }
    return undefined
  } finally {
    rmSync(aside, { force: true })
  }
}

/** The pid of the living process that holds the folder. */
export function findLockHolder(folder: string): number | undefined {
  const found = read(join(folder, 'claim'))
  return found && isHeld(found) ? Number(found.split(' ')[0]) : undefined
}

function isHeld(claim: string): boolean {
  const [pid, start] = claim.trim().split(/ (.*)/)
  return isAlive(Number(pid)) && startTimeOf(Number(pid)) === start
}

/**
 * Removes the stale claim and no other: somebody else may have replaced it by a good one since it
 * was read.
 */
function discard(file: string, stale: string, aside: string): void {
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  if (read(aside) !== stale) link(aside, file)
  rmSync(aside, { force: true })
}

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
