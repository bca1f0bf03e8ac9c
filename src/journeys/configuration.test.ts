// The gateway as a process: with an invalid configuration it exits with one helpful message that
// reveals no secret; with a valid one it serves.

import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { spawnGateway } from '../sandbox/gateway.ts'
import { openTestDatabase } from '../sandbox/test-database.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { openWorld, type World } from './world.ts'

// Starting a process takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

let world: World
beforeAll(async () => {
  world = await openWorld({ replicas: 0 })
})
afterAll(() => world.close())

/** Starts a gateway that must fail. Returns its exit code and its output. */
async function startAndFail(
  env: Record<string, string>,
): Promise<{ code: string | undefined; text: string }> {
  const error = await spawnGateway(env).then(
    async (gateway) => {
      await gateway.kill()
      throw new Error('the gateway started')
    },
    (reason: Error) => reason,
  )
  const [, code, text] = /\((\w+)\):\n([\s\S]*)$/.exec(error.message) ?? []
  return { code, text: text ?? error.message }
}

test('reports all invalid variables in one message, by name and without values', async () => {
  const invalid: Record<string, string> = {
    PORT: 'eighty-LEAK',
    OPS_PORT: '65536987',
    PUBLIC_URL: 'ftp://LEAK.example',
    APP_LINK: 'https://LEAK.example/no-id',
    LOG_LEVEL: 'LEAK-loud',
    TRUST_PROXY: 'LEAK-maybe',
    CORS_ORIGINS: 'https://LEAK.example/path',
    DATABASE_URL: 'mysql://root:LEAK@db/x',
    DATABASE_POOL_MAX: 'LEAK-many',
    MIGRATE_ON_START: 'LEAK-yes',
    PRESENTON_URL: 'LEAK-presenton',
    PRESENTON_USERNAME: 'LEAK-name',
    PRESENTON_APP_DATA_DIR: 'relative/LEAK',
    CREATE_TIMEOUT_SECONDS: '-987',
    STREAM_STALL_SECONDS: 'LEAK-long',
    BREAKER_ERROR_PERCENT: '101987',
    MINIO_ENDPOINT: 'http://user:LEAK@minio:9000',
    MINIO_PUBLIC_ENDPOINT: 'https://files.example/LEAK-path',
    MINIO_BUCKET: 'LEAK_Bucket',
    DOWNLOAD_LINK_SECONDS: '0.987',
    AUTH_JWT_SECRET: 'LEAK-too-short',
    AUTH_JWT_PUBLIC_KEY: 'LEAK-no-pem',
    MAX_SLIDES: '51987',
    QUOTA_PER_HOUR: '-1987',
    MAX_RUNNING: '0x987',
    SSE_HEARTBEAT_SECONDS: 'LEAK-often',
    LEASE_SECONDS: '1e987',
    WORKER: 'LEAK-perhaps',
  }
  const { code, text } = await startAndFail(invalid)
  expect(code).toBe('1')
  const missing = ['MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY']
  for (const name of [...Object.keys(invalid), ...missing])
    expect(text).toMatch(new RegExp(`\\b${name}\\b`))
  expect(text).not.toContain('LEAK')
  expect(text).not.toContain('987')
  // No stack trace, and one message only.
  expect(text).not.toMatch(/^\s+at /m)
  expect(text.match(/Invalid configuration/g)).toHaveLength(1)
})

test('without any variables it names the required ones', async () => {
  const { code, text } = await startAndFail({})
  expect(code).toBe('1')
  for (const name of [
    'DATABASE_URL',
    'PRESENTON_URL',
    'MINIO_ENDPOINT',
    'MINIO_ACCESS_KEY',
    'MINIO_SECRET_KEY',
    'AUTH_JWKS_URL',
    'AUTH_JWT_SECRET',
    'AUTH_JWT_PUBLIC_KEY',
  ]) {
    expect(text).toContain(name)
  }
})

test('a valid configuration serves, logs JSON lines, and exits with 0 on SIGINT', async () => {
  const gateway = await world.spawnReplica()
  const lines = gateway.logs.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines).toContainEqual(expect.objectContaining({ msg: 'listening', address: gateway.url }))
  expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200)
  await gateway.kill('SIGINT')
  expect(await gateway.exited).toEqual({ code: 0, signal: null })
  for (const line of gateway.logs) expect(() => JSON.parse(line)).not.toThrow()
  const secrets = [world.objects.secretKey, new URL(world.database.url).password]
  expect(gateway.logs.filter((line) => secrets.some((secret) => line.includes(secret)))).toEqual([])
})

const jwks = { AUTH_JWT_SECRET: '', AUTH_JWKS_URL: 'http://127.0.0.1:1/jwks.json' }

test.each([
  ['with both set', { ...jwks, AUTH_ISSUER: 'https://issuer.example', AUTH_AUDIENCE: 'slides' }, 0],
  ['with only AUTH_ISSUER', { ...jwks, AUTH_ISSUER: 'https://issuer.example' }, 1],
  ['with neither', jwks, 1],
])(
  'warns when AUTH_JWKS_URL is set without AUTH_ISSUER and AUTH_AUDIENCE: %s',
  async (_, env, warnings) => {
    const gateway = await world.spawnReplica(env)
    expect(
      gateway.logs.filter((line) => /"level":"warn".*AUTH_ISSUER and AUTH_AUDIENCE/.test(line)),
    ).toHaveLength(warnings)
    await gateway.kill('SIGINT')
  },
)

test('two gateways started at once on an empty database both serve', async () => {
  const { url: DATABASE_URL, close } = await openTestDatabase({ empty: true })
  const gateways = await Promise.all([
    world.spawnReplica({ DATABASE_URL }),
    world.spawnReplica({ DATABASE_URL, OPS_PORT: '0' }),
  ])
  const user = await world.createUser()
  const [baseUrl] = gateways.map(({ url }) => url)
  await waitFor(
    async () => expect(await user.post(undefined, {}, baseUrl)).toMatchObject({ status: 202 }),
    { timeout: 60_000 },
  )
  const { body } = await user.api('/presentations?limit=1', { baseUrl: baseUrl! })
  expect(await user.waitUntilSettled(body.items[0].id, baseUrl)).toMatchObject({
    status: 'completed',
  })
  const liveStatuses = await Promise.all(
    gateways.map(async ({ url }) => (await fetch(`${url}/health/live`)).status),
  )
  // With OPS_PORT the health routes are not on the public port.
  expect(liveStatuses).toEqual([200, 404])
  await Promise.all(gateways.map((gateway) => gateway.kill('SIGTERM')))
  for (const { exited } of gateways) expect(await exited).toEqual({ code: 0, signal: null })
  await close()
})
