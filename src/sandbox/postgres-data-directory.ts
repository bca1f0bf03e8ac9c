// Where the data of an embedded Postgres lie: in the wanted folder, or in a temporary one where
// there is none, or where the server's account can't reach it; and the removal of temporary ones
// that nobody needs any more.

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
  /** Holds data, log and password. */
  folder: string
  /** Whether it goes with the process that opened it. */
  isThrowaway: boolean
  release(): void
}

const throwawayPrefix = 'presenton-gateway-postgres-'
const elsewherePrefix = 'presenton-gateway-data-'

/** Throws when another living process uses the folder. */
export function openDataDirectory(wanted: string | undefined): DataDirectory {
  if (wanted === undefined) {
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
  mkdirSync(wanted, { recursive: true })
  const claim = lockFolder(wanted)
  if (!claim)
    throw new Error(`${wanted} is in use by process ${findLockHolder(wanted) ?? 'unknown'}`)
  try {
    const known = findElsewhere(wanted) ?? wanted
    const account = findAccount(join(known, 'data'))
    const folder = canUse(account, known) ? known : makeElsewhere(wanted, account)
    return { account, folder, isThrowaway: false, release: claim.release }
  } catch (error) {
    claim.release()
    throw error
  }
}

// Root can use a folder that the server's account can't reach (a checkout in a home of mode 0700).
// Then the data lie in a temporary folder. The wanted one and that one name each other, so that
// neither is used for the wrong checkout, or kept for a deleted one.

function makeElsewhere(wanted: string, account: Account): string {
  const folder = makeTemporaryFolder(elsewherePrefix, account)
  writeFileSync(join(folder, 'of'), wanted)
  writeFileSync(join(wanted, 'elsewhere'), folder)
  return folder
}

function findElsewhere(wanted: string): string | undefined {
  const folder = read(join(wanted, 'elsewhere'))
  return folder !== undefined && read(join(folder, 'of')) === wanted ? folder : undefined
}

/**
 * Removes temporary folders of runs that were killed together with their keeper, and of checkouts
 * that are gone.
 */
export async function removeLeftoverDirectories(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const folder = join(tmpdir(), name)
    if (!isLeftOver(name, folder)) continue
    // What belongs to another user stays.
    await stopServer(join(folder, 'data'))
      .then(() => rmSync(folder, { recursive: true, force: true }))
      .catch(() => undefined)
  }
}

function isLeftOver(name: string, folder: string): boolean {
  const isThrowaway = name.startsWith(throwawayPrefix)
  if (!isThrowaway && !name.startsWith(elsewherePrefix)) return false
  // A fresh one may be about to be claimed.
  const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  if (age < 60_000) return false
  if (isThrowaway) return findLockHolder(folder) === undefined
  const wanted = read(join(folder, 'of'))
  return wanted === undefined ? existsSync(folder) : findElsewhere(wanted) !== folder
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
