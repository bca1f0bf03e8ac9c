import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton, PresentonOptions } from './client.ts'
import {
  asShared,
  type Handler,
  json,
  openClient,
  openUpstream,
  type Upstream,
} from './fixtures/upstream.ts'

const credentials = { username: 'admin', password: 'correct horse' }
const basic = `Basic ${Buffer.from('admin:correct horse').toString('base64')}`
const apiKey = 'sk-presenton-0123456789'
const deckPath = '/api/v1/ppt/presentation/d'
const loginPath = '/api/v1/auth/login'
const statusWithUsers = {
  configured: true,
  authenticated: false,
  username: null,
  user_id: null,
  role: null,
}
const statusWithOneAdmin = { configured: true, authenticated: false, username: null }
/** An operator has to fix it, so runs wait. */
const refused = { code: 'UPSTREAM_UNAVAILABLE', failure: 'credentials' }
const unauthorized = json({ detail: 'Unauthorized' }, 401)

let upstream: Upstream
let presenton: Presenton
/** Values of Authorization and Cookie headers. */
let valid: Set<string>
let sessionCount: number
let time: number

/** Handles requests with a valid header; the others get a 401. */
const requireAuth =
  (handler: Handler): Handler =>
  (response, request) => {
    const { authorization = '', cookie = '' } = request.headers
    return (valid.has(authorization) || valid.has(cookie) ? handler : unauthorized)(
      response,
      request,
    )
  }

beforeEach(async () => {
  valid = new Set()
  sessionCount = 0
  time = 1_000_000
  upstream = await openUpstream({
    '/api/v1/auth/status': json(statusWithUsers),
    [deckPath]: requireAuth(json({ slides: [] })),
  })
  upstream.handlers['/openapi.json'] = requireAuth(upstream.handlers['/openapi.json'] as Handler)
  upstream.handlers[loginPath] = (response, request) => {
    if (JSON.parse(request.body).password !== credentials.password)
      return unauthorized(response, request)
    const cookie = `presenton_session=s${++sessionCount}`
    valid.add(cookie)
    response.setHeader('set-cookie', [
      'other=1; Path=/',
      `${cookie}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax`,
    ])
    return json({})(response, request)
  }
  open({ credentials })
})

afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

function open(options: Partial<PresentonOptions>) {
  presenton = openClient(upstream.url, { now: () => time, ...options })
}

const read = () => presenton.readDeck({ ...asShared, deckId: 'd' })
const loginCount = () => upstream.requestsTo(loginPath).length

describe('The login', () => {
  it('is shared by concurrent calls and kept', async () => {
    await Promise.all([read(), read(), read()])
    await read()
    expect(loginCount()).toBe(1)
    expect(upstream.requestsTo(deckPath).map(({ headers }) => headers.cookie)).toEqual(
      Array(4).fill('presenton_session=s1'),
    )
    expect(upstream.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  })

  it('is renewed once when the session ends, and each call is repeated once', async () => {
    await read()
    valid.clear()
    await Promise.all([read(), read(), read()])
    expect(loginCount()).toBe(2)
    expect(upstream.requestsTo(deckPath)).toHaveLength(1 + 6)
  })

  it('is renewed once for a call; after a second 401 the credentials are refused', async () => {
    upstream.handlers[deckPath] = unauthorized
    await expect(read()).rejects.toMatchObject(refused)
    expect(upstream.requestsTo(deckPath)).toHaveLength(2)
  })

  it("is not renewed for a 401 of upstream's model", async () => {
    upstream.handlers[deckPath] = json(
      { detail: 'Invalid API key. Please verify your API key and try again.' },
      401,
    )
    await expect(read()).rejects.toMatchObject({ failure: 'final' })
    expect(loginCount()).toBe(1)
  })

  it('is renewed for any 401 of a file', async () => {
    let fileRequests = 0
    upstream.handlers['/app_data/'] = (response) =>
      fileRequests++ === 0 ? response.writeHead(401).end('<html>') : response.end('PK')
    const { body } = await presenton.openFile({ ...asShared, path: '/app_data/exports/x.pptx' })
    expect((await body.toArray()).toString()).toBe('PK')
    expect(loginCount()).toBe(2)
  })

  it('goes on for the other callers when one aborts', async () => {
    let respond = () => {}
    const login = upstream.handlers[loginPath]
    upstream.handlers[loginPath] = (response, request) => {
      respond = () => login?.(response, request)
    }
    const caller = new AbortController()
    const aborted = presenton.readDeck({ ...asShared, signal: caller.signal, deckId: 'd' })
    const other = read()
    await upstream.waitUntil(() => loginCount() === 1)
    caller.abort('aborted')
    await expect(aborted).rejects.toBe('aborted')
    respond()
    await other
    expect(loginCount()).toBe(1)
  })

  it.each([
    ['the time in Retry-After', { 'retry-after': '300' }, 300],
    ['a minute without Retry-After', {}, 60],
  ])('is not repeated after a 429 for %s', async (_, headers, seconds) => {
    const login = upstream.handlers[loginPath] as Handler
    upstream.handlers[loginPath] = json(
      { detail: 'Too many failed login attempts.' },
      429,
      headers as Record<string, string>,
    )
    await expect(read()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'outage',
      retryAfterSeconds: seconds,
    })
    time += (seconds - 5) * 1000
    upstream.handlers[loginPath] = login
    await expect(read()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      retryAfterSeconds: 5,
    })
    expect(loginCount()).toBe(1)
    time += 5_000
    await read()
    expect(loginCount()).toBe(2)
  })

  it('is repeated rarely with a refused password, which would lock the account', async () => {
    open({ credentials: { username: 'admin', password: 'wrong' } })
    const loginsMs: number[] = []
    for (const startMs = time; time < startMs + 1_800_000; time += 5_000) {
      const before = loginCount()
      await expect(read()).rejects.toMatchObject(refused)
      if (loginCount() > before) loginsMs.push(time - startMs)
    }
    expect(loginsMs.slice(0, 4)).toEqual([0, 60_000, 180_000, 480_000])
    for (const at of loginsMs)
      expect(loginsMs.filter((ms) => ms >= at && ms < at + 300_000).length).toBeLessThan(4)
  })

  it('works again with the same password once upstream accepts it', async () => {
    const login = upstream.handlers[loginPath] as Handler
    upstream.handlers[loginPath] = unauthorized
    await expect(read()).rejects.toMatchObject({ ...refused, retryAfterSeconds: 60 })
    upstream.handlers[loginPath] = login
    time += 59_000
    await expect(read()).rejects.toMatchObject({ ...refused, retryAfterSeconds: 1 })
    time += 1_000
    await read()
    expect(loginCount()).toBe(2)
  })

  it('stays within the login limit of upstream, even if every session ends at once', async () => {
    upstream.handlers[deckPath] = unauthorized
    for (let i = 0; i < 10; i++) await read().catch(() => undefined)
    expect(loginCount()).toBeLessThanOrEqual(6)
    await expect(read()).rejects.toMatchObject({ failure: 'outage' })
  })

  it('is waited for if it is required and there are no credentials', async () => {
    open({})
    await expect(read()).rejects.toMatchObject(refused)
    expect(loginCount()).toBe(0)
  })
})

describe('Other credentials', () => {
  it('are the API key alone, without a cookie, if upstream has users', async () => {
    valid.add(`Bearer ${apiKey}`)
    open({ credentials, apiKey })
    await read()
    expect(loginCount()).toBe(0)
    expect(upstream.requestsTo(deckPath)[0]?.headers).toMatchObject({
      authorization: `Bearer ${apiKey}`,
    })
    expect(upstream.requestsTo(deckPath)[0]?.headers.cookie).toBeUndefined()
  })

  it('are replaced by a login if the key is refused; without a password it is waited for', async () => {
    open({ credentials, apiKey })
    await read()
    await read()
    expect(loginCount()).toBe(1)
    expect(upstream.requestsTo(deckPath).at(-1)?.headers.authorization).toBeUndefined()
    open({ apiKey })
    await expect(read()).rejects.toMatchObject(refused)
  })

  it('are Basic for a version with one admin, and a login if that is refused', async () => {
    upstream.handlers['/api/v1/auth/status'] = json(statusWithOneAdmin)
    valid.add(basic)
    open({ credentials })
    await read()
    expect(upstream.requestsTo(deckPath)[0]?.headers.authorization).toBe(basic)
    expect(loginCount()).toBe(0)
    valid.clear()
    await read()
    expect(loginCount()).toBe(1)
  })

  it.each([
    ['has no login', json({ detail: 'Not Found' }, 404)],
    [
      'has its login switched off',
      json({
        configured: true,
        authenticated: true,
        username: 'electron',
        user_id: null,
        role: 'admin',
      }),
    ],
  ])('are not sent to an upstream that %s', async (_, handler) => {
    upstream.handlers['/api/v1/auth/status'] = handler
    valid.add('')
    open({ credentials, apiKey })
    await read()
    expect(
      upstream.requests.every(
        ({ headers }) => headers.authorization === undefined && headers.cookie === undefined,
      ),
    ).toBe(true)
  })
})
