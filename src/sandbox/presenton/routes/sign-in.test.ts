import { describe, expect, it, onTestFinished } from 'vitest'
import { createCaller } from '../caller.ts'
import { openStandIn, type StandInOptions } from '../stand-in.ts'

const credentials = { username: 'admin', password: 'correct horse' }
const key = 'sk-presenton-0123456789012345678901234567890123456789'

async function open(options: StandInOptions) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  const as = (headers: Record<string, string>) => createCaller(presenton, headers)
  const logIn = async (password = credentials.password) => {
    const answer = await as({}).send('POST', '/api/v1/auth/login', { username: 'admin', password })
    return { ...answer, cookie: answer.headers.get('set-cookie')?.split(';')[0] ?? '' }
  }
  /** What a caller with these headers gets for a list of decks. */
  const list = async (headers: Record<string, string>) =>
    (await as(headers).send('GET', 'presentation/all')).status
  return { presenton, as, logIn, list }
}

const basic = { authorization: `Basic ${Buffer.from('admin:correct horse').toString('base64')}` }

describe('login on B', () => {
  it('takes a cookie or a key; a good one of either outweighs a bad one of the other', async () => {
    const { as, logIn, list } = await open({ shape: 'B1', credentials, apiKeys: [key] })
    const { cookie, headers, status } = await logIn()
    expect(status).toBe(200)
    expect(headers.get('set-cookie')).toMatch(
      /^presenton_session=\S+; HttpOnly; Max-Age=2592000; Path=\/; SameSite=lax$/,
    )
    const bearer = { authorization: `Bearer ${key}` }
    expect(await list({})).toBe(401)
    expect(await list({ cookie })).toBe(200)
    expect(await list(bearer)).toBe(200)
    expect(await list({ cookie, authorization: 'Bearer sk-presenton-bad' })).toBe(200)
    expect(await list({ cookie: 'presenton_session=abc', ...bearer })).toBe(200)
    expect(await list({ authorization: `Bearer ${cookie.split('=')[1]}` })).toBe(401)
    expect(await list(basic)).toBe(401)
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

  it('asks everybody but for the public routes, in JSON and for files in HTML', async () => {
    const { as } = await open({ shape: 'B1', credentials })
    const anybody = as({})
    for (const path of ['/api/v1/nope', '/api/v1/auth/verify', '/openapi.json']) {
      expect((await anybody.send('GET', path)).text).toBe('{"detail":"Unauthorized"}')
    }
    expect((await anybody.send('GET', '/app_data/exports/x.pptx')).text).toContain(
      '401 Authorization Required',
    )
    expect((await anybody.send('GET', '/api/v1/auth/status')).status).toBe(200)
    expect((await anybody.send('GET', '/api/telemetry-status')).status).toBe(200)
  })

  it('shuts out after five failures, first in JSON, then by nginx', async () => {
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

  it('forgets its sessions when told', async () => {
    const { presenton, logIn, list } = await open({ shape: 'B1', credentials })
    const { cookie } = await logIn()
    presenton.dropSessions()
    expect(await list({ cookie })).toBe(401)
    expect(await list({ cookie: (await logIn()).cookie })).toBe(200)
  })

  it('makes and revokes keys only for the admin in person', async () => {
    const { as, logIn, list } = await open({ shape: 'B1', credentials, apiKeys: [key] })
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
    expect(await list({ authorization: `Bearer ${token}` })).toBe(200)
    expect((await admin.send('POST', '/api/v1/auth/token/revoke', { token })).text).toBe(
      '{"message":"Token revoked"}',
    )
    expect(await list({ authorization: `Bearer ${token}` })).toBe(401)
  })

  it('can be set up once by whoever comes first', async () => {
    const { as, logIn } = await open({ shape: 'B1', unconfigured: true })
    const anybody = as({})
    expect((await anybody.send('GET', 'presentation/all')).text).toBe(
      '{"detail":"Login setup is required","setup_required":true}',
    )
    expect(
      (await anybody.send('POST', '/api/v1/auth/setup', { username: 'ad', password: 'short' }))
        .status,
    ).toBe(422)
    expect((await anybody.send('POST', '/api/v1/auth/setup', credentials)).text).toBe(
      '{"configured":true,"authenticated":false,"username":"admin","role":"admin"}',
    )
    expect((await anybody.send('POST', '/api/v1/auth/setup', credentials)).text).toBe(
      '{"detail":"Credentials already configured"}',
    )
    expect((await logIn()).status).toBe(200)
  })
})

describe('login on the other shapes', () => {
  it('takes on T a cookie, the session as a Bearer, or Basic, but no key', async () => {
    const { logIn, list } = await open({ shape: 'T', credentials, apiKeys: [key] })
    const { cookie } = await logIn()
    expect(await list({ cookie })).toBe(200)
    expect(
      await list({ authorization: `Bearer ${cookie.slice('presenton_session='.length)}` }),
    ).toBe(200)
    expect(await list(basic)).toBe(200)
    expect(await list({ authorization: `Bearer ${key}` })).toBe(401)
    expect(await list({})).toBe(401)
  })

  it('is not there on A, whatever the credentials', async () => {
    const { as, list } = await open({ shape: 'A1', credentials })
    expect(await list({})).toBe(200)
    expect((await as({}).send('POST', '/api/v1/auth/login', credentials)).text).toBe(
      '{"detail":"Not Found"}',
    )
  })

  it('is open to everybody without credentials, as with DISABLE_AUTH', async () => {
    const { as, list } = await open({ shape: 'B1' })
    expect(await list({})).toBe(200)
    expect((await as({}).send('GET', '/api/v1/auth/status')).text).toBe(
      '{"configured":true,"authenticated":true,"username":"electron","user_id":null,"role":"admin"}',
    )
  })
})
