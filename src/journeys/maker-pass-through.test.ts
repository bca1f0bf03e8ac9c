// What of upstream's interface passes through the maker, and what reaches neither side.

import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createMakerBrowser,
  type MakerBrowser,
  makerCredentials,
  makerEnv,
  signInToMaker,
} from './maker-browser.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let alice: User
let bob: User
let browser: MakerBrowser
let deckId: string

beforeAll(async () => {
  world = await openWorld({ shape: 'B1', credentials: makerCredentials, env: makerEnv })
  alice = await world.createUser('alice')
  bob = await world.createUser('bob')
  deckId = String((await alice.generate(brief))['presenton_presentation_id'])
  browser = await signInToMaker(alice, makerUrl)
}, 120_000)

afterAll(() => world?.close())

const makerUrl = () => world.gateways[0]?.makerUrl ?? ''

it('serves pages under the account of the user, without what is upstream’s', async () => {
  const response = await browser.open('/dashboard')
  expect(response.status).toBe(200)
  const html = await response.text()
  expect(html).toMatch(/\/dashboard for u-[\da-f]{40}/)
  expect(html).toContain('<script src="/_maker/notice.js" defer></script></head>')
  expect(response.headers.get('set-cookie')).toBeNull()
  expect(response.headers.get('server')).toBeNull()
  expect(response.headers.get('x-powered-by')).toBeNull()
  expect(response.headers.get('cache-control')).toBe('private, no-store')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('referrer-policy')).toBe('no-referrer')
  expect(response.headers.get('x-frame-options')).toBe('DENY')
  expect(response.headers.get('content-security-policy')).toBe(
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
  )
  const script = await browser.send('/_maker/notice.js')
  expect(script.status).toBe(200)
  expect(script.headers.get('cache-control')).toBe('private, no-store')
})

it('sends upstream nothing of the browser’s credentials and addresses', async () => {
  const planted = {
    authorization: 'Bearer planted',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-host': 'planted.example',
    'x-real-ip': '203.0.113.9',
    'x-original-uri': '/planted',
    'x-export-cookie': 'planted',
    'x-provider-api-key': 'planted',
    forwarded: 'for=203.0.113.9',
  }
  browser.cookies.set('presenton_session', 'planted')
  const [request] = await world.requestsDuring(() => browser.open('/templates', planted))
  browser.cookies.delete('presenton_session')
  expect(request?.path).toBe('/templates')
  const sent = JSON.stringify(request?.headers)
  expect(sent).not.toMatch(/planted|203\.0\.113|maker_session|forwarded/i)
  expect(request?.headers.cookie).toMatch(/^presenton_session=/)
})

it('serves files of the interface without a session, cacheable and compressed', async () => {
  const visitor = createMakerBrowser(makerUrl)
  const [request] = await world.requestsDuring(async () => {
    const response = await visitor.send('/_next/static/chunks/a.js')
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(response.headers.get('content-encoding')).toMatch(/^(br|gzip)$/)
  })
  expect(request?.headers.cookie).toBeUndefined()
  const [other] = await world.requestsDuring(() =>
    visitor.send('/Logo.svg?v=1&FastapiUrl=https://evil.example'),
  )
  expect(other).toMatchObject({ path: '/Logo.svg?v=1', status: 200 })
})

it('lets no file that is opened as a document run a script', async () => {
  const files = ['/static/icons/a.svg', '/app_data/templates/a.svg', '/Logo.svg']
  for (const path of files) {
    const { status, headers } = await browser.open(path)
    expect(status, path).toBe(200)
    expect(headers.get('content-security-policy'), path).toMatch(/^sandbox; default-src 'none';/)
    expect(headers.get('content-security-policy'), path).not.toMatch(/script-src|allow-/)
    expect(headers.get('x-content-type-options'), path).toBe('nosniff')
  }
})

it('removes what would send the interface elsewhere', async () => {
  for (const name of ['fastapiUrl', 'exportSession', 'fastapi%55rl']) {
    const upstream = await world.requestsDuring(async () => {
      const response = await browser.open(`/presentation?id=${deckId}&${name}=https://evil.example`)
      expect(response.status).toBe(303)
      expect(response.headers.get('location')).toBe(`/presentation?id=${deckId}`)
    })
    expect(upstream).toEqual([])
  }
})

it('knows an own deck in every spelling, and says its title', async () => {
  const hex = deckId.replaceAll('-', '')
  for (const spelt of [deckId.toUpperCase(), hex, `urn:uuid:${deckId}`, `%7B${deckId}%7D`]) {
    const response = await browser.fetch(`/api/v1/ppt/presentation/${spelt}`)
    expect(response.status, spelt).toBe(200)
    const deck = (await response.json()) as Record<string, unknown>
    expect(deck['id']).toBe(deckId)
    expect(deck).not.toHaveProperty('owner_id')
    const page = await browser.open(`/presentation?id=${spelt}`)
    expect(await page.text()).toContain(`/presentation?id=${deckId} for`)
  }
})

it('reads a deck as large as the gateway reads it elsewhere', async () => {
  const made = await alice.generate({ ...brief, content: 'Many pictures. '.repeat(10) })
  const id = String(made['presenton_presentation_id'])
  const [slide] = world.presenton.decks.get(id)?.slides ?? []
  const data = `data:image/png;base64,${'A'.repeat(9 * 1024 * 1024)}`
  Object.assign(slide ?? {}, { content: { image: data } })
  const response = await browser.fetch(`/api/v1/ppt/presentation/${id}`)
  expect(response.status).toBe(200)
  expect((await response.text()).length).toBeGreaterThan(data.length)
})

it('asks upstream nothing where the table alone decides', async () => {
  const other = await signInToMaker(bob, makerUrl)
  const upstream = await world.requestsDuring(async () => {
    for (const path of [
      ...['/settings', '/admin', '/pdf-maker', '/schema', '/custom-template', '/docs'],
      ...['/openapi.json', '/mcp', '/api/v2/x', '/api/user-config', '/api/v1/admin/users'],
      ...['/app_data/exports/x.pptx', '/api/v1/ppt/ollama/models/available', '/dashboard/'],
      ...['/_next/image?url=/app_data/images/x.png&w=64&q=75', '/_next/image?url=/api/x.png'],
      ...['/_next/image?url=https://evil.example/x.png', '/_next/image?url=//evil.example/x.png'],
      ...['/_next/image?url=/static/../api/x.png', '/api/update-svg?url=/static/icons/../x.svg'],
      ...['/static/..%2fapi%2fuser-config', '/static/%2e%2e/app_data/x', '/_next/static/..%5cx'],
      ...['/presentation', '/presentation?id=x', `/presentation?id=${crypto.randomUUID()}`],
    ]) {
      expect((await browser.fetch(path)).status, path).toBe(404)
    }
    for (const path of [
      `/presentation?id=${deckId}`,
      `/api/v1/ppt/presentation/${deckId}`,
      `/api/v1/ppt/chat/history?presentation_id=${deckId}`,
    ]) {
      expect((await other.fetch(path)).status, path).toBe(404)
      expect((await createMakerBrowser(makerUrl).fetch(path)).status, path).toBe(401)
    }
    const twice = `/api/v1/ppt/chat/history?presentation_id=${deckId}&presentation_id=${deckId}`
    expect((await browser.fetch(twice)).status).toBe(400)
    for (const method of ['PATCH', 'PUT']) {
      const path = `/api/v1/ppt/presentation/${deckId}`
      expect((await browser.fetch(path, { method })).status).toBe(405)
    }
  })
  expect(upstream.map(({ path }) => path)).toEqual([])
})

it('tells how long the session lasts', async () => {
  const state = (await (await browser.fetch('/_maker/session')).json()) as Record<string, string>
  expect(Date.parse(state['ends_at'] ?? '')).toBeGreaterThan(Date.parse(state['warns_at'] ?? ''))
  expect((await createMakerBrowser(makerUrl).fetch('/_maker/session')).status).toBe(401)
})

it('has no maker for a deck of the account that all share', async () => {
  const made = await alice.generate({ ...brief, content: 'A deck from before. '.repeat(10) })
  const id = String(made['presenton_presentation_id'])
  await world.query('update gateway.presentations set account = null where id = $1', [made.id])
  const link = await alice.api(`/presentations/${made.id}/maker`, { method: 'POST' })
  expect(link.body.code).toBe('NOT_SUPPORTED')
  const upstream = await world.requestsDuring(async () => {
    expect((await browser.open(`/open/${made.id}`)).status).toBe(409)
    expect((await browser.open(`/presentation?id=${id}`)).status).toBe(404)
    expect((await browser.fetch(`/api/v1/ppt/presentation/${id}`)).status).toBe(404)
  })
  expect(upstream).toEqual([])
})
