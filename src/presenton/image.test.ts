import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton } from './client.ts'
import { asShared, connect, openUpstream, type Upstream } from './fixtures/upstream.ts'

let upstream: Upstream
let presenton: Presenton

beforeEach(async () => {
  upstream = await openUpstream()
  presenton = connect(upstream.url)
})

afterEach(async () => {
  await presenton.close()
  await upstream.idle()
  await upstream.close()
})

describe('A picture', () => {
  it.each([
    '/app_data/images/a b#1.png',
    '/app_data/images/users/u1/x.png',
    '/static/icons/bold/x.svg',
  ])('comes as it is: %s', async (path) => {
    upstream.answers['GET /'] = (response) =>
      response.writeHead(200, { 'content-type': 'image/png', 'content-length': 3 }).end('PNG')
    const { body, contentType, sizeBytes } = await presenton.openImage({ ...asShared, path })
    expect({
      bytes: Buffer.concat(await body.toArray()).toString(),
      contentType,
      sizeBytes,
    }).toEqual({
      bytes: 'PNG',
      contentType: 'image/png',
      sizeBytes: 3,
    })
    expect(decodeURIComponent(upstream.visits.at(-1)?.path ?? '')).toBe(path)
  })

  it.each([
    '/app_data/exports/x.pptx',
    '/app_data/userConfig.json',
    '/app_data/images/../userConfig.json',
    '/app_data/images/%2e%2e/userConfig.json',
    '/static/../etc/passwd',
    '/static../etc/passwd',
    '/static/',
    '/api/user-config',
    '',
  ])('is not asked for where none can be: %j', async (path) => {
    await expect(presenton.openImage({ ...asShared, path })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    expect(
      upstream.visits.every(
        (visit) => visit.path.includes('auth/status') || visit.path.includes('openapi'),
      ),
    ).toBe(true)
  })

  it('is not found when upstream has none, leads elsewhere, or gives something else', async () => {
    await expect(presenton.openImage({ ...asShared, path: '/static/x.png' })).rejects.toMatchObject(
      {
        code: 'NOT_FOUND',
      },
    )
    upstream.answers['/static/'] = (response) =>
      response.writeHead(302, { location: '/elsewhere' }).end()
    await expect(presenton.openImage({ ...asShared, path: '/static/x.png' })).rejects.toMatchObject(
      {
        code: 'NOT_FOUND',
      },
    )
    upstream.answers['/static/'] = (response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    await expect(presenton.openImage({ ...asShared, path: '/static/x.png' })).rejects.toMatchObject(
      {
        code: 'NOT_FOUND',
      },
    )
  })

  it('fails like any call when upstream does', async () => {
    upstream.answers['/static/'] = (response) => response.writeHead(502).end('<html>')
    await expect(presenton.openImage({ ...asShared, path: '/static/x.png' })).rejects.toMatchObject(
      {
        code: 'UPSTREAM_UNAVAILABLE',
      },
    )
  })
})
