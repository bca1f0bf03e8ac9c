import { describe, expect, it, onTestFinished } from 'vitest'
import { openStandIn, type StandInOptions } from '../stand-in.ts'
import { createTestClient } from '../test-client.ts'

const credentials = { username: 'admin', password: 'correct horse' }
const key = 'sk-presenton-0123456789012345678901234567890123456789'

async function open(options: StandInOptions) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  const as = (headers: Record<string, string>) => createTestClient(presenton, headers)
  const logIn = async (password = credentials.password) => {
    const response = await as({}).send('POST', '/api/v1/auth/login', {
      username: 'admin',
      password,
    })
    return { ...response, cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '' }
  }
  /** The status of a list of decks, requested with these headers. */
  const listStatus = async (headers: Record<string, string>) =>
    (await as(headers).send('GET', 'presentation/all')).status
  return { presenton, as, logIn, listStatus }
}

const basic = { authorization: `Basic ${Buffer.from('admin:correct horse').toString('base64')}` }

describe('login on B', () => {
  it('accepts a cookie or a key; one valid credential outweighs an invalid one', async () => {
    const { as, logIn, listStatus } = await open({ shape: 'B1', credentials, apiKeys: [key] })
    const { cookie, headers, status } = await logIn()
    expect(status).toBe(200)
    expect(headers.get('set-cookie')).toMatch(
      /^presenton_session=\S+; HttpOnly; Max-Age=2592000; Path=\/; SameSite=lax$/,
    )
    const bearer = { authorization: `Bearer ${key}` }
    expect(await listStatus({})).toBe(401)
    expect(await listStatus({ cookie })).toBe(200)
    expect(await listStatus(bearer)).toBe(200)
    expect(await listStatus({ cookie, authorization: 'Bearer sk-presenton-bad' })).toBe(200)
    expect(await listStatus({ cookie: 'presenton_session=abc', ...bearer })).toBe(200)
    expect(await listStatus({ authorization: `Bearer ${cookie.split('=')[1]}` })).toBe(401)
    expect(await listStatus(basic)).toBe(401)
    expect((await as(bearer).send('GET', '/api/v1/auth/status')).text).toBe(
      '{"configured":true,"authenticated":false,"username":null,"user_id":null,"role":null}',
    )
    expect(JSON.parse((await as(bearer).send('GET', '/api/v1/auth/verify')).text)).toMatchObject({
      method: 'api_key',
      role: 'admin',
    })
    expect((await as(bearer).send('GET', '/api/user-config')).text).toBe(
      '{"detail":"API keys are only accepted by the Presenton API"}',
    )
  })

  it('requires a login outside the public routes; the 401 is JSON, for files HTML', async () => {
    const { as } = await open({ shape: 'B1', credentials })
    const anonymous = as({})
    for (const path of ['/api/v1/nope', '/api/v1/auth/verify', '/openapi.json']) {
      expect((await anonymous.send('GET', path)).text).toBe('{"detail":"Unauthorized"}')
    }
    expect((await anonymous.send('GET', '/app_data/exports/x.pptx')).text).toContain(
      '401 Authorization Required',
    )
    expect((await anonymous.send('GET', '/api/v1/auth/status')).status).toBe(200)
    expect((await anonymous.send('GET', '/api/telemetry-status')).status).toBe(200)
  })

  it('limits logins after five failures, first in JSON, then by nginx', async () => {
    const { logIn } = await open({ shape: 'B1', credentials })
    for (let index = 0; index < 5; index++) expect((await logIn('wrong')).status).toBe(401)
    const limited = await logIn()
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '300'])
    expect(limited.text).toBe(
      '{"detail":"Too many failed login attempts. Please try again later."}',
    )
    const byNginx = await logIn()
    expect([
      byNginx.status,
      byNginx.headers.get('content-type'),
      byNginx.headers.get('retry-after'),
    ]).toEqual([429, 'text/html', null])
  })

  it('invalidates all sessions on dropSessions()', async () => {
    const { presenton, logIn, listStatus } = await open({ shape: 'B1', credentials })
    const { cookie } = await logIn()
    presenton.dropSessions()
    expect(await listStatus({ cookie })).toBe(401)
    expect(await listStatus({ cookie: (await logIn()).cookie })).toBe(200)
  })

  it('creates and revokes keys only for a browser session of the admin', async () => {
    const { as, logIn, listStatus } = await open({ shape: 'B1', credentials, apiKeys: [key] })
    const refused = await as({ authorization: `Bearer ${key}` }).send(
      'POST',
      '/api/v1/auth/token/create',
    )
    expect(refused).toMatchObject({
      status: 403,
      text: '{"detail":"Admin browser session required"}',
    })
    const admin = as({ cookie: (await logIn()).cookie })
    const { token } = JSON.parse((await admin.send('POST', '/api/v1/auth/token/create')).text)
    expect(token).toMatch(/^sk-presenton-[0-9a-f]{40}$/)
    expect(await listStatus({ authorization: `Bearer ${token}` })).toBe(200)
    expect((await admin.send('POST', '/api/v1/auth/token/revoke', { token })).text).toBe(
      '{"message":"Token revoked"}',
    )
    expect(await listStatus({ authorization: `Bearer ${token}` })).toBe(401)
  })

  it('can be set up once, by anyone', async () => {
    const { as, logIn } = await open({ shape: 'B1', unconfigured: true })
    const anonymous = as({})
    expect((await anonymous.send('GET', 'presentation/all')).text).toBe(
      '{"detail":"Login setup is required","setup_required":true}',
    )
    expect(
      (await anonymous.send('POST', '/api/v1/auth/setup', { username: 'ad', password: 'short' }))
        .status,
    ).toBe(422)
    expect((await anonymous.send('POST', '/api/v1/auth/setup', credentials)).text).toBe(
      '{"configured":true,"authenticated":false,"username":"admin","role":"admin"}',
    )
    expect((await anonymous.send('POST', '/api/v1/auth/setup', credentials)).text).toBe(
      '{"detail":"Credentials already configured"}',
    )
    expect((await logIn()).status).toBe(200)
  })
})

describe('login on the other shapes', () => {
  it('accepts on T a cookie, the session as a Bearer token, or Basic, but no key', async () => {
    const { logIn, listStatus } = await open({ shape: 'T', credentials, apiKeys: [key] })
    const { cookie } = await logIn()
    expect(await listStatus({ cookie })).toBe(200)
    expect(
      await listStatus({ authorization: `Bearer ${cookie.slice('presenton_session='.length)}` }),
    ).toBe(200)
    expect(await listStatus(basic)).toBe(200)
    expect(await listStatus({ authorization: `Bearer ${key}` })).toBe(401)
    expect(await listStatus({})).toBe(401)
  })

  it('does not exist on A, even with credentials', async () => {
    const { as, listStatus } = await open({ shape: 'A1', credentials })
    expect(await listStatus({})).toBe(200)
    expect((await as({}).send('POST', '/api/v1/auth/login', credentials)).text).toBe(
      '{"detail":"Not Found"}',
    )
  })

  it('is disabled without credentials, as with DISABLE_AUTH', async () => {
    const { as, listStatus } = await open({ shape: 'B1' })
    expect(await listStatus({})).toBe(200)
    expect((await as({}).send('GET', '/api/v1/auth/status')).text).toBe(
      '{"configured":true,"authenticated":true,"username":"electron","user_id":null,"role":"admin"}',
    )
  })
})
