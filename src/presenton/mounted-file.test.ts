import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton } from './client.ts'
import { badPaths } from './fixtures/bad-paths.ts'
import { asShared, openClient } from './fixtures/upstream.ts'

const badFile = { code: 'UPSTREAM_ERROR', failure: 'bad-file' }

let presenton: Presenton

async function read(path: string) {
  const { body, sizeBytes } = await presenton.openFile({ ...asShared, path })
  return { sizeBytes, bytes: Buffer.concat(await body.toArray()) }
}

describe('An exported file in the mounted directory', () => {
  let dir: string
  let data: string

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'app-data-'))
    data = join(dir, 'data')
    await mkdir(join(data, 'exports'), { recursive: true })
    await writeFile(join(dir, 'secret.pptx'), 'secret')
    await writeFile(join(data, 'exports/Q3 100% #1.pptx'), 'PK file')
    // The mounted directory may itself be a link.
    await symlink(data, join(dir, 'mount'))
    presenton = openClient('http://127.0.0.1:1', { appDataDir: join(dir, 'mount') })
  })

  afterEach(async () => {
    await presenton.close()
    await rm(dir, { recursive: true })
  })

  it('is returned unchanged, without a call to upstream', async () => {
    expect(await read('/app_data/exports/Q3 100% #1.pptx')).toEqual({
      sizeBytes: 7,
      bytes: Buffer.from('PK file'),
    })
  })

  it.each(badPaths)('is a bad file at %j', async (path) => {
    await expect(read(path)).rejects.toMatchObject(badFile)
  })

  it('is a bad file behind a link, inside or outside the directory', async () => {
    await symlink(join(dir, 'secret.pptx'), join(data, 'exports/link.pptx'))
    await symlink(dir, join(data, 'exports/up'))
    await symlink(join(data, 'exports'), join(data, 'inside'))
    for (const path of ['exports/link.pptx', 'exports/up/secret.pptx', 'inside/Q3 100% #1.pptx']) {
      await expect(read(`/app_data/${path}`)).rejects.toMatchObject(badFile)
    }
  })

  it('is a bad file if it is missing, empty, a directory, a pipe, or has an impossible name', async () => {
    await writeFile(join(data, 'empty.pptx'), '')
    execFileSync('mkfifo', [join(data, 'pipe.pptx')])
    for (const path of [
      'missing.pptx',
      'empty.pptx',
      'exports',
      'pipe.pptx',
      'exports/Q3 100% #1.pptx/x',
      'x'.repeat(300),
    ]) {
      await expect(read(`/app_data/${path}`)).rejects.toMatchObject(badFile)
    }
  })

  it('is a bad file if it becomes shorter while it is read', async () => {
    const path = join(data, 'exports/large.pptx')
    await writeFile(path, Buffer.alloc(1_000_000))
    const { body, sizeBytes } = await presenton.openFile({
      ...asShared,
      path: '/app_data/exports/large.pptx',
    })
    expect(sizeBytes).toBe(1_000_000)
    await truncate(path, 10)
    await expect(body.toArray()).rejects.toMatchObject(badFile)
  })

  it('ends when its caller aborts', async () => {
    await writeFile(join(data, 'large.pptx'), Buffer.alloc(1_000_000))
    const caller = new AbortController()
    const { body } = await presenton.openFile({
      ...asShared,
      signal: caller.signal,
      path: '/app_data/large.pptx',
    })
    caller.abort(new Error('aborted'))
    await expect(body.toArray()).rejects.toThrow('aborted')
  })
})
