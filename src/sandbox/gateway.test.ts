import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Environment, openGateway, spawnGateway } from './gateway.ts'
import { openTestDatabase, type TestDatabase } from './test-database.ts'
import { createSecretSigner } from './tokens.ts'

let database: TestDatabase
let env: Environment

beforeAll(async () => {
  database = await openTestDatabase()
  const unreachable = 'http://127.0.0.1:9'
  env = {
    DATABASE_URL: database.url,
    PRESENTON_URL: unreachable,
    MINIO_ENDPOINT: unreachable,
    MINIO_ACCESS_KEY: 'key',
    MINIO_SECRET_KEY: 'secret',
    ...createSecretSigner().env,
  }
})

afterAll(() => database.close())

const isAlive = async (url: string) => (await fetch(`${url}/health/live`)).status === 200

test('runs the gateway in this process on a free port and keeps its log lines', async () => {
  const gateway = await openGateway(env)
  expect(await isAlive(gateway.url)).toBe(true)
  expect(gateway.logs.join('')).toContain('"msg":"listening"')
  await gateway.close()
  await expect(fetch(gateway.url)).rejects.toThrow()
})

test('runs the gateway as a child process that shuts down at SIGTERM and dies at SIGKILL', async () => {
  const [first, second] = await Promise.all([spawnGateway(env), spawnGateway(env)])
  expect(first.url).not.toBe(second.url)
  expect(await isAlive(first.url)).toBe(true)
  await first.kill('SIGTERM')
  expect(await first.exited).toEqual({ code: 0, signal: null })
  expect(await isAlive(second.url)).toBe(true)
  await second.kill()
  expect(await second.exited).toEqual({ code: null, signal: 'SIGKILL' })
})

test('rejects with the reason when the gateway cannot start', async () => {
  await expect(spawnGateway({ ...env, DATABASE_URL: '' })).rejects.toThrow('DATABASE_URL')
  await expect(openGateway({ ...env, DATABASE_URL: '' })).rejects.toThrow('DATABASE_URL')
})

test('ends the child process when its parent closes the pipe', async () => {
  const gateway = await spawnGateway(env)
  gateway.child.stdin?.end()
  expect(await gateway.exited).toEqual({ code: null, signal: 'SIGKILL' })
})
