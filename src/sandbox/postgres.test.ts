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
import { removeLeftoverDirectories } from './postgres-data-directory.ts'
import { findServer } from './postgres-server.ts'
import { childrenOf, commandOf, isAlive, waitForExit } from './processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'presenton-gateway-test-'))
// Open to the account of Postgres, when root runs this.
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

/** The data folder of the server at `url`, as the server itself knows it. */
async function dataOf(url: string): Promise<string> {
  return (await query('show data_directory', url))[0].data_directory
}

/** A process of its own that opens a Postgres and says where; it waits until it is killed. */
async function openElsewhere(options: object) {
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

test('it is a PostgreSQL 18 with NOTIFY across connections', async () => {
  expect((await query('show server_version'))[0].server_version).toMatch(/^18\./)
  const listener = new pg.Client({ connectionString: postgres.url })
  await listener.connect()
  await listener.query('listen greeting')
  const heard = once(listener, 'notification')
  await query(`notify greeting, 'hello'`)
  expect((await heard)[0].payload).toBe('hello')
  await listener.end()
})

test('a database cloned from a template has its tables', async () => {
  const url = await postgres.createDatabase('the template')
  await query('create table notes as select 1 as number', url)
  const clone = await postgres.createDatabase('the clone', { template: 'the template' })
  expect(await query('select * from notes', clone)).toEqual([{ number: 1 }])
  await postgres.dropDatabase('the clone')
  await expect(query('select 1', clone)).rejects.toThrow('does not exist')
})

test('what was committed survives kill -9 of the server, on the same port', async () => {
  const url = await postgres.createDatabase('ledger')
  await query('create table entries (number int)', url)
  await query('insert into entries select generate_series(1, 100)', url)
  await postgres.kill()
  await expect(query('select 1', url)).rejects.toThrow('ECONNREFUSED')
  await postgres.start()
  expect(await query('select count(*)::int as count from entries', url)).toEqual([{ count: 100 }])
})

test('a restart disconnects clients and takes new ones', async () => {
  const client = new pg.Client({ connectionString: postgres.url })
  const cut = new Promise<Error>((resolve) => client.on('error', resolve))
  await client.connect()
  await postgres.restart()
  expect(await cut).toBeInstanceOf(Error)
  expect(await query('select 1 as one')).toEqual([{ one: 1 }])
})

test('several servers run side by side', async () => {
  const others = await Promise.all([openPostgres(), openPostgres()])
  expect(new Set([postgres, ...others].map((server) => server.port)).size).toBe(3)
  for (const other of others)
    expect(await query('select 1 as one', other.url)).toEqual([{ one: 1 }])
  await Promise.all(others.map((server) => server.close()))
})

test('a port that is taken is refused when it was asked for', async () => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  const { port } = squatter.address() as { port: number }
  await expect(openPostgres({ port })).rejects.toThrow(`port ${port} is taken`)
  squatter.close()
})

test('after close no process and no folder is left of a throw-away server', async () => {
  const server = await openPostgres()
  const data = await dataOf(server.url)
  const pid = findServer(data)
  await server.close()
  expect(pid).toBeTypeOf('number')
  expect(isAlive(pid ?? 0)).toBe(false)
  expect(existsSync(dirname(data))).toBe(false)
})

test('a data folder keeps its rows from one opening to the next, with the same password', async () => {
  const dataDir = join(folder, 'kept')
  const first = await openPostgres({ dataDir })
  await query('create table notes as select 1 as number', first.url)
  await first.close()
  const second = await openPostgres({ dataDir })
  expect(await query('select * from notes', second.url)).toEqual([{ number: 1 }])
  expect(readdirSync(dataDir)).toContain('claim')
  await second.close()
  expect(readdirSync(dataDir)).not.toContain('claim')
})

test('a data folder works also where only its owner can look, and nothing stays behind when it is gone', async () => {
  const hidden = join(folder, 'hidden')
  mkdirSync(hidden, { mode: 0o700 })
  const dataDir = join(hidden, 'postgres')
  const first = await openPostgres({ dataDir })
  await query('create table notes as select 1 as number', first.url)
  await first.close()
  const second = await openPostgres({ dataDir })
  expect(await query('select * from notes', second.url)).toEqual([{ number: 1 }])
  const place = dirname(await dataOf(second.url))
  await second.close()

  rmSync(hidden, { recursive: true, force: true })
  if (existsSync(place)) utimesSync(place, 0, 0)
  await removeLeftoverDirectories()
  expect(existsSync(place)).toBe(false)
})

test('a data folder that another process uses is refused, and its server left alone', async () => {
  const dataDir = join(folder, 'shared')
  const { child, url } = await openElsewhere({ dataDir })
  await expect(openPostgres({ dataDir })).rejects.toThrow(`in use by process ${child.pid}`)
  expect(await query('select 1 as one', url)).toEqual([{ one: 1 }])
  child.kill('SIGKILL')
  await once(child, 'exit')
})

test('when its process is killed the server ends too, and a throw-away folder goes with it', async () => {
  const { child, url } = await openElsewhere({})
  const data = await dataOf(url)
  const pid = findServer(data) ?? 0
  child.kill('SIGKILL')
  expect(await waitForExit(pid, 10_000)).toBe(true)
  await expect.poll(() => existsSync(dirname(data)), { timeout: 10_000 }).toBe(false)
})

test('a server that outlived its process and its keeper is stopped by the next opening', async () => {
  const dataDir = join(folder, 'left')
  const { child, url } = await openElsewhere({ dataDir })
  const data = await dataOf(url)
  const pid = findServer(data) ?? 0
  const keeper =
    childrenOf(child.pid ?? 0).find((one) => commandOf(one).includes('postgres-keeper')) ?? 0
  process.kill(keeper, 'SIGKILL')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isAlive(pid)).toBe(true)
  const next = await openPostgres({ dataDir })
  expect(isAlive(pid)).toBe(false)
  expect(await query('select 1 as one', next.url)).toEqual([{ one: 1 }])
  await next.close()
})
