import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton } from './client.ts'
import { asShared, openClient, openUpstream, type Upstream } from './fixtures/upstream.ts'

let upstream: Upstream
let presenton: Presenton

beforeEach(async () => {
  upstream = await openUpstream()
  presenton = openClient(upstream.url)
})

afterEach(async () => {
  await presenton.close()
  await upstream.waitUntilIdle()
  await upstream.close()
})

describe('An image', () => {
  it.each([
    '/app_data/images/a b#1.png',
    '/app_data/images/users/u1/x.png',
    '/static/icons/bold/x.svg',
  ])('is returned unchanged: %s', async (path) => {
    upstream.handlers['GET /'] = (response) =>
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
    expect(decodeURIComponent(upstream.requests.at(-1)?.path ?? '')).toBe(path)
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
  ])('is not requested at a path that cannot be one: %j', async (path) => {
    await expect(presenton.openImage({ ...asShared, path })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    expect(
      upstream.requests.every(
        (request) => request.path.includes('auth/status') || request.path.includes('openapi'),
      ),
    ).toBe(true)
  })

  it.each([
    ['/app_data/images/a.avif', 'application/octet-stream', 'image/avif'],
    ['/app_data/images/A.WEBP', undefined, 'image/webp'],
    ['/app_data/fonts/Open Sans.TTF', 'application/octet-stream', 'font/ttf'],
    ['/app_data/fonts/Größe 数.woff2', 'application/font-woff2', 'font/woff2'],
    ['/app_data/templates/0b1c/static/bg 1.png', 'image/png', 'image/png'],
  ])('has a type where upstream knows none: %s', async (path, sent, contentType) => {
    upstream.handlers['GET /'] = (response) =>
      response.writeHead(200, sent === undefined ? {} : { 'content-type': sent }).end('bytes')
    const opened = await presenton.openImage({ ...asShared, path })
    expect(opened.contentType).toBe(contentType)
    await opened.body.toArray()
  })

  it('is not found if upstream has none, redirects, or returns something else', async () => {
    await expect(presenton.openImage({ ...asShared, path: '/static/x.png' })).rejects.toMatchObject(
      {
        code: 'NOT_FOUND',
      },
    )
    upstream.handlers['/static/'] = (response) =>
      response.writeHead(302, { location: '/elsewhere' }).end()
    await expect(presenton.openImage({ ...asShared, path: '/static/x.png' })).rejects.toMatchObject(
      {
        code: 'NOT_FOUND',
      },
    )
    upstream.handlers['/static/'] = (response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    await expect(presenton.openImage({ ...asShared, path: '/static/x.png' })).rejects.toMatchObject(
      {
        code: 'NOT_FOUND',
      },
    )
  })

  it('fails like any call if upstream fails', async () => {
    upstream.handlers['/static/'] = (response) => response.writeHead(502).end('<html>')
    await expect(presenton.openImage({ ...asShared, path: '/static/x.png' })).rejects.toMatchObject(
      {
        code: 'UPSTREAM_UNAVAILABLE',
      },
    )
  })
})
