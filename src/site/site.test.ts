// The built page as a gateway serves it: at which URLs, how it is cached, and how large it is.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWorld, type World } from '../journeys/world.ts'
import { buildPageIfOutdated } from '../sandbox/built-program.ts'

let world: World
beforeAll(async () => {
  await buildPageIfOutdated()
  world = await openWorld({ env: { AUTH_LOGIN_URL: 'https://login.example/?a=1&b' } })
})
afterAll(() => world.close())

const asBrowser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${world.url}${path}`, { headers, redirect: 'manual' })

/** The addresses of the files that the page names. */
async function assetPaths(): Promise<string[]> {
  const html = await (await get('/')).text()
  return [...html.matchAll(/(?:src|href)="([^"]*\/assets\/[^"]+)"/g)].map(([, path = '']) => path)
}

const id = '3f333df6-90a4-4fda-8dd3-9485d27cee36'

test.each(['/', '/settings', `/decks/${id}`, `/decks/${id}/outlines`, '/decks/of-no-id'])(
  '%s is the page, checked again each time',
  async (path) => {
    const response = await get(path)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-cache')
    const html = await response.text()
    expect(html).toContain('content="https://login.example/?a=1&#38;b"')
    expect(html).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)|https?:\/\/(?!login\.example)/)
    const etag = response.headers.get('etag') ?? ''
    expect((await get(path, { 'if-none-match': etag })).status).toBe(304)
  },
)

test('its policy lets nothing run, load or frame it that is not of the gateway', async () => {
  const { headers } = await get('/')
  const policy = headers.get('content-security-policy')?.split('; ')
  expect(policy).toEqual([
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    `connect-src 'self' ${world.url.replace('http://127.0.0.1', 'ws://localhost')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ])
  expect(headers.get('x-content-type-options')).toBe('nosniff')
})

test('its files have hashed names and are kept for a year; unknown ones are problems', async () => {
  const paths = await assetPaths()
  expect(paths.map((path) => path.replace(/.*\./, '')).sort()).toEqual(['css', 'js', 'svg'])
  for (const path of paths) {
    expect(path).toMatch(/^\/assets\/[a-z]+-[A-Z0-9]{8}\.\w+$/)
    const response = await get(path)
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  }
  for (const name of ['other-AAAAAAAA.js', 'main-AAAAAAAA.map', 'main.js', '..%2findex.html']) {
    expect({ name, status: (await get(`/assets/${name}`)).status }).toEqual({ name, status: 404 })
  }
})

test('an asset that another release has named is the present one, and never stored', async () => {
  const [present = ''] = (await assetPaths()).filter((path) => path.endsWith('.js'))
  const response = await get('/assets/main-AAAAAAAA.js')
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('etag')).toBeNull()
  expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  expect(await response.text()).toBe(await (await get(present)).text())
})

test('its script and style have at most 60 KiB, gzipped', async () => {
  let bytes = 0
  for (const path of (await assetPaths()).filter((each) => !each.endsWith('.svg'))) {
    const response = await get(path, { 'accept-encoding': 'gzip' })
    expect(response.headers.get('content-encoding')).toBe('gzip')
    bytes += Number(response.headers.get('content-length'))
  }
  expect(bytes).toBeGreaterThan(10 * 1024)
  expect(bytes).toBeLessThanOrEqual(60 * 1024)
})

describe('a URL that leads to nothing', () => {
  test('shows a browser the page, with 404', async () => {
    const response = await get('/nowhere', { ...asBrowser, 'if-none-match': '*' })
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(await response.text()).toContain('/assets/main-')
  })

  test.each([
    ['/nowhere', {}, 404],
    ['/nowhere', { accept: 'application/json' }, 404],
    ['/api/v1/nowhere', asBrowser, 404],
    ['/mcp', asBrowser, 405],
  ])('is a problem at %s for %j', async (path, headers, status) => {
    const response = await get(path, headers)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  })
})

test('PAGE=false serves nothing of it', async () => {
  const replica = await world.openReplica({ PAGE: 'false' })
  const [script = ''] = await assetPaths()
  for (const path of ['/', '/settings', `/decks/${id}`, script]) {
    const response = await fetch(`${replica.url}${path}`, { headers: asBrowser })
    expect({ path, status: response.status }).toEqual({ path, status: 404 })
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  }
})
