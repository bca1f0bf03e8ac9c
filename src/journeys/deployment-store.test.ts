// The setup script of the object store in docker-compose.yml, run unchanged against a real MinIO.
// The account that it creates for the gateway has the rights that the gateway needs, and no others.
// Runs only where MINIO_BINARY and MC_BINARY name the two programs.

import { execFile } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'minio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ObjectStore } from '../sandbox/object-store.ts'
import { openMinio } from '../sandbox/real-stores.ts'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'
import { readComposeFile } from './deployment-files.ts'
import { openWorld } from './world.ts'

const { services, configs } = readComposeFile()
const setupEnv = services['minio-setup']!.environment
const mc = process.env['MC_BINARY']

describe.skipIf(!mc || !process.env['MINIO_BINARY'])('with a real MinIO', () => {
  let minio: ObjectStore
  const folder = openTemporaryFolder('minio-setup')
  beforeAll(async () => {
    minio = await openMinio()
    writeFileSync(join(folder.path, 'policy.json'), configs['minio-policy']!.content)
    writeFileSync(join(folder.path, 'setup.sh'), configs['minio-setup']!.content)
    symlinkSync(mc ?? '', join(folder.path, 'mc'))
    await runSetup()
  })
  afterAll(async () => {
    await minio.close()
    folder.remove()
  })

  async function runSetup(overrides: Record<string, string> = {}) {
    await promisify(execFile)('sh', [join(folder.path, 'setup.sh')], {
      env: {
        ...setupEnv,
        MINIO_ENDPOINT: minio.endpoint,
        MINIO_ROOT_USER: minio.accessKey,
        MINIO_ROOT_PASSWORD: minio.secretKey,
        MC_CONFIG_DIR: join(folder.path, 'config'),
        MINIO_POLICY_FILE: join(folder.path, 'policy.json'),
        ...overrides,
        PATH: `${folder.path}:${process.env['PATH']}`,
      },
    })
  }

  function createClient(accessKey: string, secretKey: string) {
    const { hostname, port } = new URL(minio.endpoint)
    return new Client({
      endPoint: hostname,
      port: Number(port),
      useSSL: false,
      region: minio.region,
      accessKey,
      secretKey,
    })
  }
  const asRoot = () => createClient(minio.accessKey, minio.secretKey)
  const asGateway = () => createClient(setupEnv['MINIO_ACCESS_KEY']!, setupEnv['MINIO_SECRET_KEY']!)
  const accessDenied = expect.objectContaining({ code: 'AccessDenied' })

  test('the gateway stores and serves a deck with its own account', async () => {
    const { MINIO_ACCESS_KEY, MINIO_SECRET_KEY, MINIO_BUCKET } = services['gateway']!.environment
    const world = await openWorld({
      env: { MINIO_ENDPOINT: minio.endpoint, MINIO_ACCESS_KEY, MINIO_SECRET_KEY, MINIO_BUCKET },
    })
    try {
      const user = await world.createUser()
      const { id } = await user.generate()
      const { body } = await user.api(`/presentations/${id}/download`, {
        headers: { accept: 'application/json' },
      })
      const file = await (await fetch(body.url)).arrayBuffer()
      expect(file.byteLength).toBe(body.size_bytes)
      expect((await (await fetch(`${world.url}/health`)).json()) as object).toMatchObject({
        checks: { storage: { status: 'ok' } },
      })
      await world.expectNoLeaks()
    } finally {
      await world.close()
    }
  })

  test('the account of the gateway cannot use other buckets or change its own', async () => {
    await asRoot().makeBucket('other-bucket')
    await asRoot().putObject('other-bucket', 'a', 'a')
    await expect(asGateway().getObject('other-bucket', 'a')).rejects.toEqual(accessDenied)
    await expect(asGateway().putObject('other-bucket', 'b', 'b')).rejects.toEqual(accessDenied)
    await expect(asGateway().makeBucket('another')).rejects.toEqual(accessDenied)
    await expect(asGateway().removeBucket(setupEnv['MINIO_BUCKET']!)).rejects.toEqual(accessDenied)
    await expect(asGateway().setBucketPolicy(setupEnv['MINIO_BUCKET']!, '{}')).rejects.toEqual(
      accessDenied,
    )
  })

  test('returns 403 for unsigned reads', async () => {
    await asRoot().putObject(setupEnv['MINIO_BUCKET']!, 'a', 'a')
    expect((await fetch(`${minio.endpoint}/${setupEnv['MINIO_BUCKET']}/a`)).status).toBe(403)
    expect((await fetch(`${minio.endpoint}/${setupEnv['MINIO_BUCKET']}`)).status).toBe(403)
  })

  test('a second run of the setup keeps everything and applies a changed secret key', async () => {
    await runSetup()
    await asGateway().putObject(setupEnv['MINIO_BUCKET']!, 'b', 'b')
    await runSetup({ MINIO_SECRET_KEY: 'another-secret' })
    await expect(asGateway().putObject(setupEnv['MINIO_BUCKET']!, 'c', 'c')).rejects.toMatchObject({
      code: 'SignatureDoesNotMatch',
    })
    const withNewKey = createClient(setupEnv['MINIO_ACCESS_KEY']!, 'another-secret')
    await withNewKey.putObject(setupEnv['MINIO_BUCKET']!, 'c', 'c')
    await withNewKey.removeObject(setupEnv['MINIO_BUCKET']!, 'c')
  })
})
