// Databases that a gateway cannot work with: it stays alive and names the reason and the variable,
// in health and in the log, without names and values of the address. Once fixed, it starts.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createCertificate } from '../sandbox/certificate.ts'
import { openGateway } from '../sandbox/gateway.ts'
import { openPostgres, type Postgres } from '../sandbox/postgres.ts'
import { enableTls } from '../sandbox/postgres-tls.ts'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'
import { openWorld, type World } from './world.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
const waiting = { timeout: 60_000, interval: 50 }

let world: World
let postgres: Postgres
const folder = openTemporaryFolder('database-troubles')
const certificate = createCertificate()
const caFile = join(folder.path, 'ca.pem')
writeFileSync(caFile, certificate.cert)

beforeAll(async () => {
  world = await openWorld({ replicas: 0 })
  postgres = await openPostgres()
  await enableTls(postgres.url, certificate, { onlyTls: 'planttls' })
})
afterAll(async () => {
  await postgres.close()
  await world.close()
  folder.remove()
})

async function admin(sql: string, url = postgres.url) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  // One at a time: CREATE DATABASE refuses a transaction.
  for (const statement of sql.split(';')) await client.query(statement)
  await client.end()
}

const openGatewayAt = (url: string, env: Record<string, string> = {}) =>
  openGateway({ ...world.variables, ...env, DATABASE_URL: url }, { waitUntilReady: false })

async function readDatabaseCheck({ url }: { url: string }) {
  const response = await fetch(`${url}/health/ready`)
  const text = await response.text()
  // The parts of the address that are not the server's own names.
  expect(text).not.toMatch(/plant|127\.0\.0\.1|localhost/)
  const { checks } = JSON.parse(text) as { checks: { database: object } }
  return { httpStatus: response.status, ...checks.database }
}

const works = { httpStatus: 200, status: 'ok' }

async function expectCheck(gateway: { url: string }, expected: object) {
  await vi.waitFor(async () => expect(await readDatabaseCheck(gateway)).toEqual(expected), waiting)
}

/** A role and a database of its own, which it may fill. */
async function createAccount(name: string, options = '') {
  await admin(
    `create role plant${name} login password 'gardenword' ${options};create database plant${name} owner plant${name}`,
  )
  return `postgres://plant${name}:gardenword@127.0.0.1:${postgres.port}/plant${name}`
}

interface Case {
  title: string
  name: string
  spoil: string
  fix: string
  expected: { reason: string; variable?: string; detail: string }
  url?: (url: string) => string
}

test.each<Case>([
  {
    title: 'a wrong password',
    name: 'word',
    spoil: `alter role plantword password 'another'`,
    fix: `alter role plantword password 'gardenword'`,
    expected: { reason: 'credentials_refused', detail: 'password' },
  },
  {
    title: 'a role that may not log in',
    name: 'nologin',
    spoil: 'alter role plantnologin nologin',
    fix: 'alter role plantnologin login',
    expected: { reason: 'credentials_refused', detail: 'user' },
  },
  {
    title: 'a database that does not exist',
    name: 'nodb',
    spoil: 'drop database plantnodb',
    fix: 'create database plantnodb owner plantnodb',
    expected: { reason: 'misconfigured', detail: 'does not exist' },
  },
  {
    title: 'a role that may not connect',
    name: 'noconnect',
    spoil: 'revoke connect on database plantnoconnect from public, plantnoconnect',
    fix: 'grant connect on database plantnoconnect to plantnoconnect',
    expected: { reason: 'access_denied', detail: 'right' },
  },
  {
    title: 'a role that may not create the schema',
    name: 'noschema',
    spoil:
      'alter database plantnoschema owner to postgres;revoke create on database plantnoschema from public',
    fix: 'grant create on database plantnoschema to plantnoschema',
    expected: { reason: 'access_denied', detail: 'schema gateway' },
  },
  {
    title: 'a database that is read-only',
    name: 'readonly',
    spoil: 'alter database plantreadonly set default_transaction_read_only = on',
    fix: 'alter database plantreadonly reset default_transaction_read_only',
    expected: { reason: 'misconfigured', detail: 'read-only' },
  },
  {
    title: 'a role with too few connections',
    name: 'few',
    spoil: 'alter role plantfew connection limit 1',
    fix: 'alter role plantfew connection limit -1',
    expected: {
      reason: 'limit_reached',
      variable: 'DATABASE_POOL_MAX',
      detail: 'no further connection',
    },
  },
  {
    title: 'a database in another encoding',
    name: 'ascii',
    spoil: `drop database plantascii;create database plantascii owner plantascii encoding 'SQL_ASCII' locale 'C' locale_provider libc template template0`,
    fix: 'drop database plantascii with (force);create database plantascii owner plantascii',
    expected: { reason: 'unsupported', detail: 'UTF8' },
  },
  {
    title: 'a server that is too old',
    name: 'old',
    spoil: `alter role plantold set search_path = old, pg_catalog`,
    fix: 'alter role plantold reset search_path',
    expected: { reason: 'unsupported', detail: 'PostgreSQL 13' },
  },
  {
    title: 'a server that demands TLS',
    name: 'tls',
    spoil: 'select 1',
    fix: '',
    expected: { reason: 'misconfigured', detail: 'sslmode=require' },
  },
  {
    title: 'a certificate that is not trusted',
    name: 'cert',
    url: (url) => `${url}?sslmode=verify-full`,
    spoil: 'select 1',
    fix: '',
    expected: { reason: 'misconfigured', detail: 'sslrootcert' },
  },
])('names $title, and starts once it is fixed', async ({ name, expected, ...given }) => {
  const url = await createAccount(name)
  // A stand-in for the server's own function, since there is no old server.
  if (name === 'old') {
    await admin(
      `create schema old;grant usage on schema old to public;create function old.current_setting(text) returns text language sql as 'select ''110000''::text'`,
      postgres.urlOf('plantold'),
    )
  }
  await admin(given.spoil)
  const gateway = await openGatewayAt(given.url?.(url) ?? url)
  const { variable = 'DATABASE_URL', reason, detail } = expected
  const check = { status: 'unavailable', reason, variable, detail: expect.stringContaining(detail) }
  await expectCheck(gateway, { httpStatus: 503, ...check })
  const lines = gateway.logs.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.filter((line) => line['reason'] === reason)).toEqual([
    expect.objectContaining({
      level: 'warn',
      part: 'database',
      variable,
      msg: expect.stringMatching(`trouble with the database: .*${detail}`),
    }),
  ])
  expect(gateway.logs.join('')).not.toContain('gardenword')
  if (given.fix !== '') {
    await admin(given.fix)
    await expectCheck(gateway, works)
    expect(gateway.logs.join('')).toContain('the database works again')
  }
  await gateway.close()
})

test('names a migration lock that another process holds', async () => {
  const url = await createAccount('locked')
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  await other.query('select pg_advisory_lock(7260137)')
  const gateway = await openGatewayAt(url)
  await expectCheck(gateway, {
    httpStatus: 503,
    status: 'unavailable',
    reason: 'not_migrated',
    variable: 'MIGRATE_ON_START',
    detail: expect.stringContaining('Another process'),
  })
  await other.end()
  await expectCheck(gateway, works)
  await gateway.close()
})

describe('after the start', () => {
  test('a database that becomes read-only is named, and used again afterwards', async () => {
    const url = await createAccount('failover')
    const gateway = await openGatewayAt(url)
    await expectCheck(gateway, works)
    const disconnect = `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'plantfailover'`
    await admin(`alter database plantfailover set default_transaction_read_only = on;${disconnect}`)
    await expectCheck(gateway, {
      httpStatus: 503,
      status: 'unavailable',
      reason: 'misconfigured',
      variable: 'DATABASE_URL',
      detail: expect.stringContaining('read-only'),
    })
    // Its open connections would stay read-only: the gateway itself has to make new ones.
    await admin('alter database plantfailover reset default_transaction_read_only')
    await expectCheck(gateway, works)
    await gateway.close()
  })

  test('a right that was taken away is named, and requests get 503 until it is back', async () => {
    const url = await createAccount('rights')
    const gateway = await openGatewayAt(url)
    await expectCheck(gateway, works)
    const user = await world.createUser()
    const inDatabase = postgres.urlOf('plantrights')
    await admin('revoke insert on gateway.presentations from plantrights', inDatabase)
    expect(await user.post(undefined, {}, gateway.url)).toMatchObject({
      status: 503,
      body: { code: 'DATABASE_UNAVAILABLE' },
    })
    await expectCheck(gateway, {
      httpStatus: 200,
      status: 'degraded',
      reason: 'access_denied',
      variable: 'DATABASE_URL',
      detail: expect.stringContaining('lacks a right'),
    })
    await admin('grant insert on gateway.presentations to plantrights', inDatabase)
    expect(await user.post(undefined, {}, gateway.url)).toMatchObject({ status: 202 })
    await gateway.close()
  })
})

describe('TLS', () => {
  let url: string
  let withoutTls: string
  beforeAll(async () => {
    url = await createAccount('tls2')
    withoutTls = world.database.url
  })

  test.each([
    ['require', true],
    ['require&channel_binding=require', true],
    ['no-verify', true],
    ['prefer', true],
    ['allow', false],
    ['disable', false],
    ['verify-full&sslrootcert={ca}', true],
    ['verify-ca&sslrootcert={ca}', true],
    ['verify-full&sslrootcert={ca}&channel_binding=require', true],
  ])('works with sslmode=%s', async (mode, isEncrypted) => {
    const gateway = await openGatewayAt(`${url}?sslmode=${mode.replace('{ca}', caFile)}`)
    await expectCheck(gateway, works)
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    const { rows } = await client.query(
      `select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid)
       where usename = 'planttls2' and application_name = 'presenton-gateway'`,
    )
    expect(rows).toEqual([{ ssl: isEncrypted }])
    await client.end()
    await gateway.close()
  })

  test('sslmode=allow uses TLS where the server demands it', async () => {
    const gateway = await openGatewayAt(
      `postgres://planttls:gardenword@127.0.0.1:${postgres.port}/planttls?sslmode=allow`,
    )
    await expectCheck(gateway, works)
    await gateway.close()
  })

  test('sslmode=prefer does without TLS where the server has none', async () => {
    const gateway = await openGatewayAt(`${withoutTls}?sslmode=prefer`)
    await expectCheck(gateway, works)
    await gateway.close()
  })

  test.each([
    ['sslmode=require', 'offers no TLS'],
    ['sslmode=verify-full', 'offers no TLS'],
  ])('%s is refused by a server without TLS', async (query, detail) => {
    const gateway = await openGatewayAt(`${withoutTls}?${query}`)
    await expectCheck(gateway, {
      httpStatus: 503,
      status: 'unavailable',
      reason: 'misconfigured',
      variable: 'DATABASE_URL',
      detail: expect.stringContaining(detail),
    })
    await gateway.close()
  })
})
