// Where an embedded Postgres keeps its data: in the requested folder; in a temporary folder if none
// is requested, or if the server's account can't use the requested one. Also removes temporary
// folders that no process needs any more.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findLockHolder, lockFolder } from './folder-lock.ts'
import { type Account, canUse, findAccount, makeTemporaryFolder } from './postgres-account.ts'
import { stopServer } from './postgres-server.ts'

export interface DataDirectory {
  account: Account
  /** Contains the data, the log and the password. */
  folder: string
  /** Whether the folder is removed when the process ends. */
  isThrowaway: boolean
  release(): void
}

const throwawayPrefix = 'presenton-sandbox-postgres-'
const substitutePrefix = 'presenton-sandbox-data-'

/** Throws when another living process uses the folder. */
export function openDataDirectory(requested: string | undefined): DataDirectory {
  if (requested === undefined) {
    const account = findAccount('')
    const folder = makeTemporaryFolder(throwawayPrefix, account)
    lockFolder(folder)
    return {
      account,
      folder,
      isThrowaway: true,
      release: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
    }
  }
  mkdirSync(requested, { recursive: true })
  const lock = lockFolder(requested)
  if (!lock)
    throw new Error(`${requested} is in use by process ${findLockHolder(requested) ?? 'unknown'}`)
  try {
    const existing = findSubstitute(requested) ?? requested
    const account = findAccount(join(existing, 'data'))
    const folder = canUse(account, existing) ? existing : makeSubstitute(requested, account)
    return { account, folder, isThrowaway: false, release: lock.release }
  } catch (error) {
    lock.release()
    throw error
  }
}

// Root can use a folder that the server's account can't reach, such as a checkout in a home of mode
// 0700. Then a temporary folder is its substitute. The two name each other, so that no substitute
// serves another checkout or outlives its own.
const substituteFile = 'substitute'
const requestedFile = 'substitute-of'

function makeSubstitute(requested: string, account: Account): string {
  const folder = makeTemporaryFolder(substitutePrefix, account)
  writeFileSync(join(folder, requestedFile), requested)
  writeFileSync(join(requested, substituteFile), folder)
  return folder
}

function findSubstitute(requested: string): string | undefined {
  const folder = read(join(requested, substituteFile))
  return folder !== undefined && read(join(folder, requestedFile)) === requested
    ? folder
    : undefined
}

/**
 * Removes temporary folders whose process and watchdog were killed, and substitutes for folders
 * that no longer exist.
 */
export async function removeAbandonedDirectories(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const folder = join(tmpdir(), name)
    if (!isAbandoned(name, folder)) continue
    // The folder may belong to another user; then it stays.
    await stopServer(join(folder, 'data'))
      .then(() => rmSync(folder, { recursive: true, force: true }))
      .catch(() => undefined)
  }
}

function isAbandoned(name: string, folder: string): boolean {
  const isThrowaway = name.startsWith(throwawayPrefix)
  if (!isThrowaway && !name.startsWith(substitutePrefix)) return false
  // The process that made a new folder may not have locked it yet.
  const ageMs = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  if (ageMs < 60_000) return false
  if (isThrowaway) return findLockHolder(folder) === undefined
  const requested = read(join(folder, requestedFile))
  return requested === undefined ? existsSync(folder) : findSubstitute(requested) !== folder
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
