// The store's setup in docker-compose.yml, run as it stands there against a real MinIO: the user
// that it makes for the gateway can do all that the gateway does, and nothing else. Needs the
// programs: MINIO_BINARY and MC_BINARY name them.

import { execFile } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'minio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openMinio } from '../sandbox/minio.ts'
import type { ObjectStore } from '../sandbox/object-store.ts'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'
import { readComposeFile } from './deployment-files.ts'
import { openWorld } from './world.ts'

const { services, configs } = readComposeFile()
const given = services['minio-setup']!.environment
const mc = process.env['MC_BINARY']

describe.skipIf(!mc || !process.env['MINIO_BINARY'])('with a real MinIO', () => {
  let minio: ObjectStore
  const folder = openTemporaryFolder('minio-setup')
  beforeAll(async () => {
    minio = await openMinio()
    writeFileSync(join(folder.path, 'policy.json'), configs['minio-policy']!.content)
    writeFileSync(join(folder.path, 'setup.sh'), configs['minio-setup']!.content)
    symlinkSync(mc ?? '', join(folder.path, 'mc'))
    await setUp()
  })
  afterAll(async () => {
    await minio.close()
    folder.remove()
  })

  async function setUp(more: Record<string, string> = {}) {
    await promisify(execFile)('sh', [join(folder.path, 'setup.sh')], {
      env: {
        ...given,
        ...{
          MINIO_ENDPOINT: minio.endpoint,
          MINIO_ROOT_USER: minio.accessKey,
          MINIO_ROOT_PASSWORD: minio.secretKey,
        },
        ...{
          MC_CONFIG_DIR: join(folder.path, 'config'),
          MINIO_POLICY_FILE: join(folder.path, 'policy.json'),
        },
        ...more,
        PATH: `${folder.path}:${process.env['PATH']}`,
      },
    })
  }

  function clientOf(accessKey: string, secretKey: string) {
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
  const root = () => clientOf(minio.accessKey, minio.secretKey)
  const ours = () => clientOf(given['MINIO_ACCESS_KEY']!, given['MINIO_SECRET_KEY']!)
  const refused = expect.objectContaining({ code: 'AccessDenied' })

  test('a deck is made, stored and downloaded by a user who is not root', async () => {
    const { MINIO_ACCESS_KEY, MINIO_SECRET_KEY, MINIO_BUCKET } = services['gateway']!.environment
    const world = await openWorld({
      env: { MINIO_ENDPOINT: minio.endpoint, MINIO_ACCESS_KEY, MINIO_SECRET_KEY, MINIO_BUCKET },
    })
    try {
      const user = await world.createUser()
      const made = await user.generate()
      const { body } = await user.api(`/presentations/${made.id}/download`, {
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

  test('it has no other bucket, and no power', async () => {
    await root().makeBucket('somebody-elses')
    await root().putObject('somebody-elses', 'a', 'a')
    await expect(ours().getObject('somebody-elses', 'a')).rejects.toEqual(refused)
    await expect(ours().putObject('somebody-elses', 'b', 'b')).rejects.toEqual(refused)
    await expect(ours().makeBucket('another')).rejects.toEqual(refused)
    await expect(ours().removeBucket(given['MINIO_BUCKET']!)).rejects.toEqual(refused)
    await expect(ours().setBucketPolicy(given['MINIO_BUCKET']!, '{}')).rejects.toEqual(refused)
  })

  test('nobody reads the bucket without a signature', async () => {
    await root().putObject(given['MINIO_BUCKET']!, 'a', 'a')
    expect((await fetch(`${minio.endpoint}/${given['MINIO_BUCKET']}/a`)).status).toBe(403)
    expect((await fetch(`${minio.endpoint}/${given['MINIO_BUCKET']}`)).status).toBe(403)
  })

  test('a second start changes nothing, and takes over a new key', async () => {
    await setUp()
    await ours().putObject(given['MINIO_BUCKET']!, 'b', 'b')
    await setUp({ MINIO_SECRET_KEY: 'another-secret' })
    await expect(ours().putObject(given['MINIO_BUCKET']!, 'c', 'c')).rejects.toMatchObject({
      code: 'SignatureDoesNotMatch',
    })
    const renewed = clientOf(given['MINIO_ACCESS_KEY']!, 'another-secret')
    await renewed.putObject(given['MINIO_BUCKET']!, 'c', 'c')
    await renewed.removeObject(given['MINIO_BUCKET']!, 'c')
  })
})
