import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Presenton, PresentonOptions } from './client.ts'
import {
  asShared,
  connect,
  json,
  openUpstream,
  type Upstream,
  type Visit,
} from './fixtures/upstream.ts'

const credentials = { username: 'admin', password: 'correct horse' }
const basic = `Basic ${Buffer.from('admin:correct horse').toString('base64')}`
const apiKey = 'sk-presenton-0123456789'
const deckPath = '/api/v1/ppt/presentation/d'
const loginPath = '/api/v1/auth/login'
const users = { configured: true, authenticated: false, username: null, user_id: null, role: null }
const single = { configured: true, authenticated: false, username: null }
const unauthorized = json({ detail: 'Unauthorized' }, 401)

let upstream: Upstream
let presenton: Presenton
let valid: Set<string>
let sessions: number
let time: number

/** Lets in whoever bears something valid. */
const guarded =
  (answer: ReturnType<typeof json>) =>
  (response: Parameters<typeof answer>[0], visit: Visit): unknown => {
    const { authorization = '', cookie = '' } = visit.headers
    return (valid.has(authorization) || valid.has(cookie) ? answer : unauthorized)(response, visit)
  }

beforeEach(async () => {
  valid = new Set()
  sessions = 0
  time = 1_000_000
  upstream = await openUpstream({
    '/api/v1/auth/status': json(users),
    [deckPath]: guarded(json({ slides: [] })),
  })
  upstream.answers['/openapi.json'] = guarded(
    upstream.answers['/openapi.json'] as ReturnType<typeof json>,
  )
  upstream.answers[loginPath] = (response, visit) => {
    if (JSON.parse(visit.body).password !== credentials.password)
      return unauthorized(response, visit)
    const cookie = `presenton_session=s${++sessions}`
    valid.add(cookie)
    response.setHeader('set-cookie', [
      'other=1; Path=/',
      `${cookie}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax`,
    ])
    return json({})(response, visit)
  }
  open({ credentials })
})

afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

function open(options: Partial<PresentonOptions>) {
  presenton = connect(upstream.url, { now: () => time, ...options })
}

const read = () => presenton.readDeck({ ...asShared, deckId: 'd' })
const logins = () => upstream.to(loginPath).length

describe('The login', () => {
  it('is one for all calls at once, and is kept', async () => {
    await Promise.all([read(), read(), read()])
    await read()
    expect(logins()).toBe(1)
    expect(upstream.to(deckPath).map(({ headers }) => headers.cookie)).toEqual(
      Array(4).fill('presenton_session=s1'),
    )
    expect(upstream.visits.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  })

  it('is renewed once for all when the session has ended, and each call is made once more', async () => {
    await read()
    valid.clear()
    await Promise.all([read(), read(), read()])
    expect(logins()).toBe(2)
    expect(upstream.to(deckPath)).toHaveLength(1 + 6)
  })

  it('is tried once more for a call, then the refusal is final', async () => {
    upstream.answers[deckPath] = unauthorized
    await expect(read()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', failure: 'final' })
    expect(upstream.to(deckPath)).toHaveLength(2)
  })

  it("is not renewed for a 401 that is not upstream's own", async () => {
    upstream.answers[deckPath] = json(
      { detail: 'Invalid API key. Please verify your API key and try again.' },
      401,
    )
    await expect(read()).rejects.toMatchObject({ failure: 'final' })
    expect(logins()).toBe(1)
  })

  it('is renewed for any 401 to a file', async () => {
    let asked = 0
    upstream.answers['/app_data/'] = (response) =>
      asked++ === 0 ? response.writeHead(401).end('<html>') : response.end('PK')
    const { body } = await presenton.openFile({ ...asShared, path: '/app_data/exports/x.pptx' })
    expect((await body.toArray()).toString()).toBe('PK')
    expect(logins()).toBe(2)
  })

  it('goes on for the others when one caller leaves', async () => {
    let answer = () => {}
    const login = upstream.answers[loginPath]
    upstream.answers[loginPath] = (response, visit) => {
      answer = () => login?.(response, visit)
    }
    const leaving = new AbortController()
    const left = presenton.readDeck({ ...asShared, signal: leaving.signal, deckId: 'd' })
    const other = read()
    await upstream.until(() => logins() === 1)
    leaving.abort('enough')
    await expect(left).rejects.toBe('enough')
    answer()
    await other
    expect(logins()).toBe(1)
  })

  it.each([
    ['as long as upstream says', { 'retry-after': '300' }, 300],
    ['a minute when it does not say', {}, 60],
  ])('waits when it is limited: %s', async (_, headers, seconds) => {
    const login = upstream.answers[loginPath] as ReturnType<typeof json>
    upstream.answers[loginPath] = json(
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
    upstream.answers[loginPath] = login
    await expect(read()).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      retryAfterSeconds: 5,
    })
    expect(logins()).toBe(1)
    time += 5_000
    await read()
    expect(logins()).toBe(2)
  })

  it('does not repeat a refused password, which would lock the account', async () => {
    open({ credentials: { username: 'admin', password: 'wrong' } })
    for (let i = 0; i < 10; i++)
      await expect(read()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', failure: 'final' })
    expect(logins()).toBe(1)
  })

  it('is not made more often than its limiter allows, even when each session ends at once', async () => {
    upstream.answers[deckPath] = unauthorized
    for (let i = 0; i < 10; i++) await read().catch(() => undefined)
    expect(logins()).toBeLessThanOrEqual(6)
    await expect(read()).rejects.toMatchObject({ failure: 'outage' })
  })

  it('is final when it is wanted and there are no credentials', async () => {
    open({})
    await expect(read()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', failure: 'final' })
    expect(logins()).toBe(0)
  })
})

describe('Other proofs', () => {
  it('sends the API key where users exist, and no cookie beside it', async () => {
    valid.add(`Bearer ${apiKey}`)
    open({ credentials, apiKey })
    await read()
    expect(logins()).toBe(0)
    expect(upstream.to(deckPath)[0]?.headers).toMatchObject({ authorization: `Bearer ${apiKey}` })
    expect(upstream.to(deckPath)[0]?.headers.cookie).toBeUndefined()
  })

  it('logs in when the key is refused and there are credentials; else the refusal is final', async () => {
    open({ credentials, apiKey })
    await read()
    await read()
    expect(logins()).toBe(1)
    expect(upstream.to(deckPath).at(-1)?.headers.authorization).toBeUndefined()
    open({ apiKey })
    await expect(read()).rejects.toMatchObject({ failure: 'final' })
  })

  it('sends Basic to a single-admin version, and logs in where that is refused', async () => {
    upstream.answers['/api/v1/auth/status'] = json(single)
    valid.add(basic)
    open({ credentials })
    await read()
    expect(upstream.to(deckPath)[0]?.headers.authorization).toBe(basic)
    expect(logins()).toBe(0)
    valid.clear()
    await read()
    expect(logins()).toBe(1)
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
  ])('sends nothing to an upstream that %s', async (_, status) => {
    upstream.answers['/api/v1/auth/status'] = status
    valid.add('')
    open({ credentials, apiKey })
    await read()
    expect(
      upstream.visits.every(
        ({ headers }) => headers.authorization === undefined && headers.cookie === undefined,
      ),
    ).toBe(true)
  })
})
