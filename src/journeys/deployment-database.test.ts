// The script in docker-compose.yml that creates database roles and schemas, run unchanged on a
// Postgres server. Then both roles do what the gateway and Presenton need, and try what is
// forbidden.

import { spawnSync } from 'node:child_process'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openGateway } from '../sandbox/gateway.ts'
import { openPostgres, type Postgres } from '../sandbox/postgres.ts'
import { minimalEnv, readComposeFile } from './deployment-files.ts'

const { services, configs } = readComposeFile()
const script = configs['postgres-roles']!.content
const database = services['postgres']!.environment['POSTGRES_DB']!

let postgres: Postgres
beforeAll(async () => {
  postgres = await openPostgres()
  await postgres.createDatabase(database)
  await runAsEntrypoint(script)
})
afterAll(() => postgres.close())

/**
 * Runs the script as the image's entrypoint does: with psql, as superuser, in the database. Without
 * psql, this function substitutes the variables itself.
 */
async function runAsEntrypoint(sql: string) {
  const env = services['postgres']!.environment
  const url = postgres.urlOf(database)
  const psql = spawnSync('psql', ['--no-psqlrc', '--quiet', url], {
    input: sql,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })
  if (!psql.error) {
    expect({ status: psql.status, stderr: psql.stderr }).toEqual({ status: 0, stderr: '' })
    return
  }
  const variables: Record<string, string> = { DBNAME: database }
  const withoutCommands = sql.replace(
    /^\\(\w+) (\w+) (\w+)$/gm,
    (_, command: string, name: string, value: string) => {
      variables[name] = command === 'getenv' ? (env[value] ?? '') : value
      return ''
    },
  )
  const filled = withoutCommands
    .replace(/:'(\w+)'/g, (_, name: string) => pg.escapeLiteral(variables[name] ?? ''))
    .replace(/:"(\w+)"/g, (_, name: string) => pg.escapeIdentifier(variables[name] ?? ''))
  await query(url, filled)
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows ?? []
  } finally {
    await client.end()
  }
}

/** The service's DATABASE_URL in Compose, with this server instead of the container's name. */
function urlOf(service: 'gateway' | 'presenton', path = `/${database}`): string {
  const url = new URL(services[service]!.environment['DATABASE_URL']!)
  expect(`${url.hostname}:${url.port}`).toBe('postgres:5432')
  url.host = `127.0.0.1:${postgres.port}`
  url.pathname = path
  return url.href
}

const queryAs = (role: 'gateway' | 'presenton', sql: string) => query(urlOf(role), sql)
const permissionDenied = expect.objectContaining({ code: '42501' })

/** All tables of Presenton 0.9.3. */
const presentonTables = [
  'presentations',
  'slides',
  'keyvaluesqlmodel',
  'imageasset',
  'presentation_layout_codes',
  'templates',
  'webhook_subscriptions',
  'async_presentation_generation_tasks',
  'template_v2',
  'template_create_infos',
  'chat_history_messages',
  'font_uploads',
  'async_tasks',
  'ollamapullstatus',
  'user',
  'access_tokens',
  'provider_settings',
  'alembic_version',
]

test('neither role has rights over the server', async () => {
  const rows = await query(
    postgres.url,
    `select rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls from pg_roles
     where rolname in ('gateway', 'presenton') order by 1`,
  )
  const noRights = {
    rolsuper: false,
    rolcreatedb: false,
    rolcreaterole: false,
    rolreplication: false,
    rolbypassrls: false,
  }
  expect(rows).toEqual([
    { rolname: 'gateway', ...noRights },
    { rolname: 'presenton', ...noRights },
  ])
})

test('three replicas at once apply each migration once, and create nothing outside the schema gateway', async () => {
  const openReplica = () =>
    openGateway({
      ...services['gateway']!.environment,
      DATABASE_URL: urlOf('gateway'),
      OPS_PORT: '',
      LOG_LEVEL: 'silent',
      DRAIN_SECONDS: '0',
    })
  const replicas = await Promise.all([openReplica(), openReplica(), openReplica()])
  try {
    for (const { url } of replicas) {
      const { checks } = (await (await fetch(`${url}/health/ready`)).json()) as { checks: object }
      expect(checks).toMatchObject({ database: { status: 'ok' } })
    }
  } finally {
    await Promise.all(replicas.map((replica) => replica.close()))
  }
  const applied = await queryAs(
    'gateway',
    'select hash, count(*)::int as times from gateway.migrations group by 1',
  )
  expect(applied.length).toBeGreaterThan(0)
  expect(applied.filter(({ times }) => times !== 1)).toEqual([])
  const outsideSchema = await query(
    postgres.urlOf(database),
    `select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relowner = 'gateway'::regrole and n.nspname not in ('gateway', 'pg_toast')`,
  )
  expect(outsideSchema).toEqual([])
})

test("Presenton's tables are created in its schema without a prefix, even with names that the gateway uses", async () => {
  for (const table of presentonTables)
    await queryAs(
      'presenton',
      `create table ${pg.escapeIdentifier(table)} (id text primary key, body text)`,
    )
  await queryAs(
    'presenton',
    `insert into "user" values ('1', 'admin'); insert into presentations values ('1', 'of presenton')`,
  )
  const rows = await query(
    postgres.urlOf(database),
    `select tablename from pg_tables where schemaname = 'presenton' and tableowner = 'presenton'`,
  )
  expect(rows.map(({ tablename }) => tablename).sort()).toEqual([...presentonTables].sort())
  // Both schemas have a table of this name.
  expect(await queryAs('presenton', 'select body from presentations')).toEqual([
    { body: 'of presenton' },
  ])
  expect(await queryAs('gateway', 'select id from presentations')).toEqual([])
})

test.each([
  ['gateway', 'select * from presenton."user"'],
  ['gateway', 'insert into presenton.presentations values (1)'],
  ['gateway', 'create table presenton.mine (id int)'],
  ['gateway', 'drop schema presenton cascade'],
  ['presenton', 'select * from gateway.presentations'],
  ['presenton', 'delete from gateway.leases'],
  ['presenton', 'create table gateway.mine (id int)'],
  ['presenton', 'truncate gateway.events'],
] as const)('the role %s may not: %s', async (role, sql) => {
  await expect(queryAs(role, sql)).rejects.toEqual(permissionDenied)
})

test.each(['gateway', 'presenton'] as const)(
  'the role %s can create nothing outside its schema',
  async (role) => {
    const attempts = [
      'create schema another',
      'create table public.mine (id int)',
      'create temporary table mine (id int)',
      'create role another',
      'create extension pg_trgm',
      `alter role ${role === 'gateway' ? 'presenton' : 'gateway'} password 'mine'`,
      `set role ${role === 'gateway' ? 'presenton' : 'gateway'}`,
      'set role postgres',
    ]
    for (const sql of attempts)
      await expect(queryAs(role, sql), sql).rejects.toThrow(/permission denied|must (be|have)/)
    for (const other of ['/postgres', '/template1']) {
      await expect(query(urlOf(role, other), 'select 1')).rejects.toEqual(permissionDenied)
    }
  },
)

test('a role cannot sign in with the password of the other', async () => {
  const url = new URL(urlOf('gateway'))
  expect(decodeURIComponent(url.password)).toBe(minimalEnv.GATEWAY_DB_PASSWORD)
  url.password = minimalEnv.PRESENTON_DB_PASSWORD
  await expect(query(url.href, 'select 1')).rejects.toEqual(
    expect.objectContaining({ code: '28P01' }),
  )
})
