import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgres, type Postgres } from './postgres.ts'
import { removeAbandonedDirectories } from './postgres-data-directory.ts'
import { findServer } from './postgres-server.ts'
import { watchdogName } from './postgres-watchdog.ts'
import { childrenOf, commandOf, isAlive, waitForExit } from './processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'presenton-gateway-test-'))
// When root runs the tests, the account of Postgres needs access.
chmodSync(folder, 0o755)
let postgres: Postgres

beforeAll(async () => {
  postgres = await openPostgres()
})

afterAll(async () => {
  await postgres.close()
  rmSync(folder, { recursive: true, force: true })
})

async function query(sql: string, url = postgres.url) {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** The data directory of the server at `url`, as the server itself reports it. */
async function dataDirectoryOf(url: string): Promise<string> {
  return (await query('show data_directory', url))[0].data_directory
}

/** Starts a process that opens a Postgres, prints its URL, and runs until it is killed. */
async function openInChildProcess(options: object) {
  const code = `import { openPostgres } from ${JSON.stringify(new URL('postgres.ts', import.meta.url).href)}
    const { url } = await openPostgres(${JSON.stringify(options)})
    console.log(url)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { child, url }
}

test('runs PostgreSQL 18 and delivers NOTIFY across connections', async () => {
  expect((await query('show server_version'))[0].server_version).toMatch(/^18\./)
  const listener = new pg.Client({ connectionString: postgres.url })
  await listener.connect()
  await listener.query('listen greeting')
  const notification = once(listener, 'notification')
  await query(`notify greeting, 'hello'`)
  expect((await notification)[0].payload).toBe('hello')
  await listener.end()
})

test('clones a database with the tables of its template', async () => {
  const url = await postgres.createDatabase('the template')
  await query('create table notes as select 1 as number', url)
  const clone = await postgres.createDatabase('the clone', { template: 'the template' })
  expect(await query('select * from notes', clone)).toEqual([{ number: 1 }])
  await postgres.dropDatabase('the clone')
  await expect(query('select 1', clone)).rejects.toThrow('does not exist')
})

test('keeps committed rows and the port after kill -9 of the server', async () => {
  const url = await postgres.createDatabase('ledger')
  await query('create table entries (number int)', url)
  await query('insert into entries select generate_series(1, 100)', url)
  await postgres.kill()
  await expect(query('select 1', url)).rejects.toThrow('ECONNREFUSED')
  await postgres.start()
  expect(await query('select count(*)::int as count from entries', url)).toEqual([{ count: 100 }])
})

test('disconnects clients at a restart and accepts new ones', async () => {
  const client = new pg.Client({ connectionString: postgres.url })
  const disconnected = new Promise<Error>((resolve) => client.on('error', resolve))
  await client.connect()
  await postgres.restart()
  expect(await disconnected).toBeInstanceOf(Error)
  expect(await query('select 1 as one')).toEqual([{ one: 1 }])
})

test('runs several servers side by side', async () => {
  const others = await Promise.all([openPostgres(), openPostgres()])
  expect(new Set([postgres, ...others].map((server) => server.port)).size).toBe(3)
  for (const other of others)
    expect(await query('select 1 as one', other.url)).toEqual([{ one: 1 }])
  await Promise.all(others.map((server) => server.close()))
})

test('rejects when the requested port is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  await expect(openPostgres({ port })).rejects.toThrow(`port ${port} is taken`)
  other.close()
})

test('removes the process and the folder of a throw-away server at close', async () => {
  const server = await openPostgres()
  const data = await dataDirectoryOf(server.url)
  const pid = findServer(data)
  await server.close()
  expect(pid).toBeTypeOf('number')
  expect(isAlive(pid ?? 0)).toBe(false)
  expect(existsSync(dirname(data))).toBe(false)
})

test('keeps the rows and the password of a data directory for the next start', async () => {
  const dataDir = join(folder, 'kept')
  const first = await openPostgres({ dataDir })
  await query('create table notes as select 1 as number', first.url)
  await first.close()
  const second = await openPostgres({ dataDir })
  expect(await query('select * from notes', second.url)).toEqual([{ number: 1 }])
  expect(readdirSync(dataDir)).toContain('lock')
  await second.close()
  expect(readdirSync(dataDir)).not.toContain('lock')
})

test('serves a data directory that only its owner can reach, and removes its substitute later', async () => {
  const hidden = join(folder, 'hidden')
  mkdirSync(hidden, { mode: 0o700 })
  const dataDir = join(hidden, 'postgres')
  const first = await openPostgres({ dataDir })
  await query('create table notes as select 1 as number', first.url)
  await first.close()
  const second = await openPostgres({ dataDir })
  expect(await query('select * from notes', second.url)).toEqual([{ number: 1 }])
  const substitute = dirname(await dataDirectoryOf(second.url))
  await second.close()

  rmSync(hidden, { recursive: true, force: true })
  if (existsSync(substitute)) utimesSync(substitute, 0, 0)
  await removeAbandonedDirectories()
  expect(existsSync(substitute)).toBe(false)
})

test('refuses a data directory that another process uses, and leaves its server running', async () => {
  const dataDir = join(folder, 'shared')
  const { child, url } = await openInChildProcess({ dataDir })
  await expect(openPostgres({ dataDir })).rejects.toThrow(`in use by process ${child.pid}`)
  expect(await query('select 1 as one', url)).toEqual([{ one: 1 }])
  child.kill('SIGKILL')
  await once(child, 'exit')
})

test('stops the server and removes its throw-away folder when its process is killed', async () => {
  const { child, url } = await openInChildProcess({})
  const data = await dataDirectoryOf(url)
  const pid = findServer(data) ?? 0
  child.kill('SIGKILL')
  expect(await waitForExit(pid, 10_000)).toBe(true)
  await expect.poll(() => existsSync(dirname(data)), { timeout: 10_000 }).toBe(false)
})

test('stops a server that outlived its process and its watchdog at the next start', async () => {
  const dataDir = join(folder, 'outlived')
  const { child, url } = await openInChildProcess({ dataDir })
  const data = await dataDirectoryOf(url)
  const pid = findServer(data) ?? 0
  const watchdog =
    childrenOf(child.pid ?? 0).find((pid) => commandOf(pid).includes(watchdogName)) ?? 0
  process.kill(watchdog, 'SIGKILL')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isAlive(pid)).toBe(true)
  const next = await openPostgres({ dataDir })
  expect(isAlive(pid)).toBe(false)
  expect(await query('select 1 as one', next.url)).toEqual([{ one: 1 }])
  await next.close()
})
