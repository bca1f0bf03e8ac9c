// Bearer tokens, the session cookie and the origins it may be used from, and rejected credentials.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestServer, problemOf, type TestServer } from '../app/test-server.ts'

let server: TestServer
let cookie: string

beforeAll(async () => {
  const env = {
    PUBLIC_URL: 'https://decks.example/base',
    CORS_ORIGINS: 'https://app.example',
    RATE_LIMIT_PER_MINUTE: '1000',
  }
  server = await openTestServer({
    env,
    features: { presentations: { listPresentations: async () => [] } },
  })
  cookie = `__Host-gateway_session=${await server.token()}`
})
afterAll(() => server.close())

/** Without the credentials that `server.call` adds. */
function call(path: string, headers: Record<string, string> = {}, method = 'GET') {
  return fetch(`${server.url}/api/v1${path}`, { method, headers })
}

async function expectRefused(response: Response) {
  expect(await problemOf(response)).toMatchObject({ status: 401, code: 'AUTHENTICATION_FAILED' })
  expect(response.headers.get('www-authenticate')).toBe('Bearer')
}

test('every API route returns 401 without credentials', async () => {
  const routes = [
    'GET /presentations',
    'POST /presentations',
    'GET /presentations/x',
    'GET /presentations/x/events',
    'GET /presentations/x/download',
    'GET /templates',
    'POST /session',
    'DELETE /session',
  ]
  for (const route of routes) {
    const [method = '', path = ''] = route.split(' ')
    const response = await call(path, {}, method)
    await expectRefused(response)
  }
})

test('accepts a bearer token, with the scheme in any case', async () => {
  const token = await server.token('bob')
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    expect((await call('/presentations', { authorization: `${scheme} ${token}` })).status).toBe(200)
  }
})

test('refuses an Authorization header that is not exactly one bearer token', async () => {
  const token = await server.token()
  const values = [
    '',
    'Bearer',
    'Bearer ',
    token,
    `Basic ${token}`,
    `Bearer ${token} x`,
    `Bearer ${token},Bearer ${token}`,
    `Bearer "${token}"`,
  ]
  for (const authorization of values)
    await expectRefused(await call('/presentations', { authorization }))
})

test('refuses two Authorization headers, also when one or both are valid', async () => {
  const request = (values: string[]) =>
    server.raw(
      `GET /api/v1/presentations HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${values.map((value) => `Authorization: ${value}\r\n`).join('')}\r\n`,
    )
  expect(await request([server.bearer])).toMatch(/^HTTP\/1.1 200/)
  for (const other of [server.bearer, 'Bearer x', 'Basic x']) {
    expect(await request([server.bearer, other])).toMatch(/^HTTP\/1.1 401/)
    expect(await request([other, server.bearer])).toMatch(/^HTTP\/1.1 401/)
  }
})

test('refuses a token in the query, under any name and also beside a valid header', async () => {
  const token = await server.token()
  const queries = [
    `access_token=${token}`,
    'token=x',
    'jwt=x',
    `x=${token}`,
    `a=1&ACCESS_TOKEN=x`,
    `cursor=${encodeURIComponent(`Bearer ${token}`)}`,
    `x=${token.replaceAll('.', '%2E')}`,
  ]
  for (const query of queries) {
    await expectRefused(await call(`/presentations?${query}`))
    await expectRefused(await call(`/presentations?${query}`, { authorization: server.bearer }))
  }
  expect(server.lines.join('')).not.toContain(token)
})

test('the session cookie holds the token, belongs to this host and expires with the token', async () => {
  const expires = Math.floor(Date.now() / 1000) + 600
  const token = await server.token('carol', expires)
  const response = await call('/session', { authorization: `Bearer ${token}` }, 'POST')
  expect(response.status).toBe(204)
  const attributes = (response.headers.get('set-cookie') ?? '').split('; ')
  expect(attributes[0]).toBe(`__Host-gateway_session=${token}`)
  const expected = [
    'Path=/',
    `Expires=${new Date(expires * 1000).toUTCString()}`,
    'HttpOnly',
    'SameSite=Lax',
    'Secure',
  ]
  expect(attributes.slice(1).sort()).toEqual(expected.sort())
  expect(
    (await call('/presentations', { cookie: `other=1; __Host-gateway_session=${token}; x=y` }))
      .status,
  ).toBe(200)
})

test('a new session, and the end of one, clear a cookie from before https was used', async () => {
  const old = cookie.replace('__Host-', '')
  for (const method of ['POST', 'DELETE']) {
    const response = await call('/session', { authorization: server.bearer, cookie: old }, method)
    expect(response.status).toBe(204)
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-gateway_session=/),
      expect.stringMatching(/^gateway_session=; Path=\/; Expires=Thu, 01 Jan 1970/),
    ])
  }
})

test('returns 400 for a session with a token that does not fit into a cookie', async () => {
  const token = await server.token('x'.repeat(255))
  expect(token.length).toBeLessThan(3_800)
  expect((await call('/session', { authorization: `Bearer ${token}` }, 'POST')).status).toBe(204)
  const longToken = await server.token('alice', '1h', { filler: 'x'.repeat(3_000) })
  expect(longToken.length).toBeGreaterThan(3_800)
  expect((await call('/presentations', { authorization: `Bearer ${longToken}` })).status).toBe(200)
  expect((await call('/session', { authorization: `Bearer ${longToken}` }, 'POST')).status).toBe(
    400,
  )
})

test('opens a session with a bearer token only; a cookie never replaces an invalid token', async () => {
  await expectRefused(await call('/session', { cookie, origin: 'https://decks.example' }, 'POST'))
  await expectRefused(await call('/presentations', { cookie, authorization: 'Bearer x.y.z' }))
  await expectRefused(await call('/presentations', { cookie, authorization: '' }))
})

test('refuses a cookie that is empty, expired, present twice, or under the name for http', async () => {
  const expired = await server.token('alice', Math.floor(Date.now() / 1000) - 60)
  for (const value of [
    '__Host-gateway_session=',
    `__Host-gateway_session=${expired}`,
    '__Host-gateway_session=x',
    `${cookie}; __Host-gateway_session=planted`,
    `${cookie}; ${cookie}`,
    `${cookie}; gateway_session=planted`,
    cookie.replace('__Host-', ''),
  ]) {
    await expectRefused(await call('/presentations', { cookie: value }))
  }
})

test('allows changes by cookie only from the own or an allowed origin', async () => {
  const post = (headers: Record<string, string>) =>
    fetch(`${server.url}/api/v1/presentations`, {
      method: 'POST',
      headers: { cookie, 'content-type': 'application/json', ...headers },
      body: '{"content":"x"}',
    })
  for (const origin of ['https://decks.example', 'https://app.example'])
    expect((await post({ origin })).status).toBe(202)
  expect((await post({ 'sec-fetch-site': 'same-origin' })).status).toBe(202)
  for (const origin of [
    'https://evil.example',
    'null',
    'http://decks.example',
    'https://decks.example:444',
    'https://app.example.evil.example',
  ]) {
    expect(await problemOf(await post({ origin })), origin).toMatchObject({
      status: 403,
      code: 'PERMISSION_DENIED',
    })
    expect((await post({ origin, 'sec-fetch-site': 'same-origin' })).status).toBe(403)
  }
  for (const site of ['cross-site', 'same-site', 'none'])
    expect((await post({ 'sec-fetch-site': site })).status).toBe(403)
  expect((await post({})).status).toBe(403)
  expect(
    (await post({ origin: 'https://evil.example', authorization: server.bearer })).status,
  ).toBe(202)
})

test('closes a session with an expired token, but not from an untrusted origin', async () => {
  for (const value of [cookie, '__Host-gateway_session=expired']) {
    const response = await call(
      '/session',
      { cookie: value, origin: 'https://decks.example' },
      'DELETE',
    )
    expect(response.status).toBe(204)
    expect(response.headers.get('set-cookie')).toMatch(
      /^__Host-gateway_session=; Path=\/; Expires=Thu, 01 Jan 1970/,
    )
  }
  expect(
    (await call('/session', { cookie, origin: 'https://evil.example' }, 'DELETE')).status,
  ).toBe(403)
  expect((await call('/session', { cookie }, 'DELETE')).status).toBe(403)
  expect((await call('/session', { authorization: server.bearer }, 'DELETE')).status).toBe(204)
})

test('reads no large body of a caller without a valid token', async () => {
  const close = async (body: string) => {
    const headers = { authorization: 'Bearer x', 'content-type': 'application/json' }
    const init = { method: 'DELETE', headers, body }
    return (await fetch(`${server.url}/api/v1/session`, init)).status
  }
  expect(await close('{}')).toBe(204)
  expect(await close(JSON.stringify('x'.repeat(2_000)))).toBe(413)
})

test('forbids caching of user data', async () => {
  expect(
    (await call('/presentations', { authorization: server.bearer })).headers.get('cache-control'),
  ).toBe('no-store')
})
