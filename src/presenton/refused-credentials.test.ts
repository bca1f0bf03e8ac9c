// What operators are told when upstream does not accept our credentials, when it is over, and whose
// refusal a 401 is.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTroubles, type Troubles } from '../telemetry/troubles.ts'
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
const apiKey = 'sk-presenton-0123456789'
const deckPath = '/api/v1/ppt/presentation/d'
const preparePath = 'POST /api/v1/ppt/presentation/prepare'
const verifyPath = '/api/v1/auth/verify'
const loginPath = '/api/v1/auth/login'
const users = { configured: true, authenticated: false, username: null, user_id: null, role: null }
const unauthorized = json({ detail: 'Unauthorized' }, 401)
const refused = { code: 'UPSTREAM_UNAVAILABLE', failure: 'credentials' }

let upstream: Upstream
let presenton: Presenton
let troubles: Troubles
let lines: { part: unknown; variable: unknown }[]
/** Values of Authorization and Cookie headers. */
let valid: Set<string>
let time: number

const authenticated =
  (handler: Handler): Handler =>
  (response, request) => {
    const { authorization = '', cookie = '' } = request.headers
    const isValid = valid.has(authorization) || valid.has(cookie)
    return (isValid ? handler : unauthorized)(response, request)
  }

beforeEach(async () => {
  valid = new Set([`Bearer ${apiKey}`])
  time = 1_000_000
  lines = []
  const logger = { warn: (line: object) => void lines.push(line as never), info: () => undefined }
  troubles = createTroubles({ logger })
  upstream = await openUpstream({
    '/api/v1/auth/status': json(users),
    [verifyPath]: authenticated(json({ authenticated: true })),
    [deckPath]: authenticated(json({ slides: [] })),
    '/api/v1/ppt/template/': json({}),
    [preparePath]: authenticated(json({ presentation_id: 'd' })),
    [loginPath]: (response, request) => {
      const isRight = JSON.parse(request.body).password === credentials.password
      if (!isRight) return unauthorized(response, request)
      valid.add('presenton_session=s1')
      response.setHeader('set-cookie', 'presenton_session=s1; HttpOnly; Path=/')
      return json({})(response, request)
    },
  })
  upstream.handlers['/openapi.json'] = authenticated(upstream.handlers['/openapi.json'] as Handler)
})
afterEach(async () => {
  await presenton.close()
  await upstream.close()
})

function open(options: Partial<PresentonOptions>) {
  presenton = openClient(upstream.url, { now: () => time, troubles, ...options })
}

const read = () => presenton.readDeck({ ...asShared, deckId: 'd' })
const prepare = () =>
  presenton.prepareDeck({
    ...asShared,
    deckId: 'd',
    outlines: ['One'],
    title: 'T',
    templateId: 'general',
  })
const trouble = () => troubles.of('presenton')
const loginCount = () => upstream.requestsTo(loginPath).length

describe('The operator is told', () => {
  it('of an API key that expired, until it is accepted again', async () => {
    open({ apiKey })
    await read()
    valid.clear()
    await expect(read()).rejects.toMatchObject(refused)
    await expect(read()).rejects.toMatchObject(refused)
    expect(trouble()).toMatchObject({
      reason: 'credentials_refused',
      variable: 'PRESENTON_API_KEY',
    })
    expect(lines).toMatchObject([{ part: 'presenton', variable: 'PRESENTON_API_KEY' }])
    expect(JSON.stringify([lines, trouble()])).not.toContain(apiKey)
    valid.add(`Bearer ${apiKey}`)
    await read()
    expect(trouble()).toBeUndefined()
  })

  it('of a key that a login replaces, and the key is used again later', async () => {
    open({ apiKey, credentials })
    valid.clear()
    await read()
    expect(trouble()).toMatchObject({ variable: 'PRESENTON_API_KEY' })
    expect(loginCount()).toBe(1)
    valid.add(`Bearer ${apiKey}`)
    time += 300_000
    await read()
    expect(upstream.requestsTo(deckPath).at(-1)?.headers.cookie).toBeUndefined()
    expect(trouble()).toBeUndefined()
  })

  it.each([
    ['a wrong password', { credentials: { ...credentials, password: 'no' } }, 'PRESENTON_PASSWORD'],
    ['missing credentials', {}, 'PRESENTON_USERNAME'],
    [
      'a key and a password that are both wrong',
      { apiKey: 'sk-presenton-9', credentials: { ...credentials, password: 'no' } },
      'PRESENTON_PASSWORD',
    ],
  ])('of %s', async (_, options, variable) => {
    open(options)
    await expect(read()).rejects.toMatchObject(refused)
    expect(trouble()).toMatchObject({ reason: 'credentials_refused', variable })
  })

  it.each([
    ['has no account yet', 428, 'credentials_refused'],
    ['does not let the key in', 403, 'access_denied'],
  ])('that upstream %s', async (_, status, reason) => {
    open({ apiKey })
    const answer = json({ detail: 'Login setup is required', setup_required: true }, status)
    for (const path of [deckPath, verifyPath]) upstream.handlers[path] = answer
    await expect(read()).rejects.toMatchObject(refused)
    expect(trouble()).toMatchObject({ reason, variable: 'PRESENTON_API_KEY' })
    for (const path of [deckPath, verifyPath]) upstream.handlers[path] = json({ slides: [] })
    await read()
    expect(trouble()).toBeUndefined()
  })

  it('that the credentials work again, by a readiness probe alone', async () => {
    open({ apiKey })
    await read()
    valid.clear()
    await expect(read()).rejects.toMatchObject(refused)
    // It responds, so the probe itself does not fail.
    await presenton.ping(asShared)
    expect(trouble()).toBeDefined()
    valid.add(`Bearer ${apiKey}`)
    await presenton.ping(asShared)
    expect(trouble()).toBeUndefined()
  })

  it('by a readiness probe before the first run', async () => {
    valid.clear()
    open({ apiKey })
    await presenton.ping(asShared)
    expect(trouble()).toMatchObject({ variable: 'PRESENTON_API_KEY' })
  })
})

it('is not told of refused credentials when a session is lost and logins are limited', async () => {
  open({ credentials })
  await read()
  valid.clear()
  upstream.handlers[loginPath] = json({ detail: 'Too many' }, 429, { 'retry-after': '60' })
  for (let i = 0; i < 2; i += 1) await expect(read()).rejects.toMatchObject({ failure: 'outage' })
  expect(trouble()).toBeUndefined()
  expect(loginCount()).toBe(2)
})

describe('Whose refusal it is', () => {
  it.each([
    ['in the words of a provider', 'Invalid API key. Please verify your API key and try again.'],
    ['in the words of a login', 'Unauthorized'],
  ])("is the model's in prepare, %s, while our credentials work", async (_, detail) => {
    open({ apiKey })
    upstream.handlers[preparePath] = json({ detail }, 401)
    await expect(prepare()).rejects.toMatchObject({ code: 'UPSTREAM_ERROR', failure: 'fault' })
    expect(trouble()).toBeUndefined()
  })

  it('is ours in prepare when upstream refuses our credentials', async () => {
    open({ apiKey })
    await read()
    valid.clear()
    await expect(prepare()).rejects.toMatchObject(refused)
  })

  it('is ours in other words as well, when upstream refuses our credentials', async () => {
    open({ apiKey })
    await read()
    valid.clear()
    upstream.handlers[deckPath] = json({ detail: 'API key expired' }, 401)
    await expect(read()).rejects.toMatchObject(refused)
  })

  it.each([403, 401])(
    'is about one file with status %i, while our credentials work',
    async (status) => {
      open({ apiKey })
      upstream.handlers['/app_data/'] = (response) => response.writeHead(status).end('<html>')
      const file = presenton.openFile({ ...asShared, path: '/app_data/exports/x.pptx' })
      await expect(file).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', failure: 'final' })
      expect(trouble()).toBeUndefined()
    },
  )

  it('is about one call with a 403, while our credentials work', async () => {
    open({ apiKey })
    upstream.handlers[deckPath] = json({ detail: 'Forbidden' }, 403)
    await expect(read()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', failure: 'final' })
  })

  it('is not disproved by a public file', async () => {
    open({ apiKey })
    await read()
    valid.clear()
    await expect(read()).rejects.toMatchObject(refused)
    upstream.handlers['/static/'] = (response) =>
      response.writeHead(200, { 'content-type': 'image/png' }).end('x')
    const { body } = await presenton.openImage({ ...asShared, path: '/static/x.png' })
    await body.toArray()
    expect(trouble()).toBeDefined()
  })
})

it('sends nothing to find out whether others could go on while credentials are refused', async () => {
  open({ apiKey })
  expect(await presenton.isAvailable(asShared)).toBe(true)
  valid.clear()
  await expect(read()).rejects.toMatchObject(refused)
  const { length } = upstream.requests
  expect(await presenton.isAvailable(asShared)).toBe(false)
  expect(upstream.requests).toHaveLength(length)
})
