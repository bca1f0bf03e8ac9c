// The way into the slide maker: links, tickets, sessions, and how they end.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMakerBrowser, makerCredentials, makerEnv, navigation } from './maker-browser.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

const signInUrl = 'https://app.example.com/login?next={return_to}'

let world: World
let alice: User
let bob: User
let presentation: { id: string; deckId: string }

beforeAll(async () => {
  world = await openWorld({
    shape: 'B1',
    credentials: makerCredentials,
    replicas: 2,
    env: { ...makerEnv, MAKER_SIGN_IN_URL: signInUrl },
  })
  alice = await world.createUser('alice', { name: 'Alice A.' })
  bob = await world.createUser('bob')
  const made = await alice.generate(brief)
  presentation = { id: made.id, deckId: String(made['presenton_presentation_id']) }
}, 120_000)

afterAll(() => world?.close())

const makerUrl = (replica = 0) => world.gateways[replica]?.makerUrl ?? ''
const newBrowser = () => createMakerBrowser(makerUrl)

async function linkFor(
  user: User,
  path = `/presentations/${presentation.id}/maker`,
  body?: object,
) {
  const response = await user.api(path, { method: 'POST', body })
  expect(response.status).toBe(200)
  expect(response.body.expires_in).toBe(60)
  return response.body.url as string
}

async function signedIn(user = alice) {
  const browser = newBrowser()
  expect((await browser.open(await linkFor(user, '/maker', {}))).status).toBe(303)
  return browser
}

it('opens the editor on the deck, signed in, by a link that works once', async () => {
  const browser = newBrowser()
  const url = await linkFor(alice)
  expect(url).toMatch(new RegExp(`^${makerUrl()}/_enter\\?ticket=[\\w-]{43}$`))
  const entered = await browser.open(url)
  expect(entered.status).toBe(303)
  expect(entered.headers.get('location')).toBe(`/open/${presentation.id}`)
  const cookie = entered.headers.get('set-cookie') ?? ''
  expect(cookie).toMatch(/^maker_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
  const opened = await browser.open(`/open/${presentation.id}`)
  expect(opened.status).toBe(303)
  expect(opened.headers.get('location')).toBe(`/presentation?id=${presentation.deckId}`)

  const again = await newBrowser().open(url)
  expect(again.status).toBe(401)
  expect(await again.text()).toContain('This link has expired')
})

it('uses a ticket up once over all replicas', async () => {
  const ticket = new URL(await linkFor(alice)).search
  const answers = await Promise.all(
    [0, 1, 0, 1].map((replica) => newBrowser().open(`${makerUrl(replica)}/_enter${ticket}`)),
  )
  expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 401, 401, 401])
})

it('leaves a ticket unused where no person opens a document', async () => {
  const url = await linkFor(alice)
  const browser = newBrowser()
  for (const headers of [
    {},
    { 'sec-fetch-dest': 'image' },
    { 'sec-fetch-dest': 'iframe' },
    { 'sec-fetch-dest': 'empty' },
    { 'sec-fetch-dest': 'document', 'sec-purpose': 'prefetch' },
  ]) {
    expect((await browser.send(url, { headers })).status).toBe(403)
  }
  expect((await browser.send(url, { method: 'HEAD', headers: navigation })).status).toBe(405)
  expect(browser.cookies.size).toBe(0)
  expect((await browser.open(url)).status).toBe(303)
})

it('refuses an expired ticket, and one of another purpose', async () => {
  const url = await linkFor(alice)
  await world.query(`update gateway.tickets set expires_at = now() where purpose = 'maker'`)
  expect((await newBrowser().open(url)).status).toBe(401)
  const other = await alice.api(`/presentations/${presentation.id}/ticket`, { method: 'POST' })
  const path = `/_enter?ticket=${other.body.ticket}`
  expect((await newBrowser().open(path)).status).toBe(401)
})

it('asks before it replaces the session of another user', async () => {
  const browser = await signedIn(bob)
  const before = new Map(browser.cookies)
  const url = await linkFor(alice)
  const asked = await browser.open(url)
  expect(asked.status).toBe(200)
  expect(await asked.text()).toContain('<form method="post" action="/_enter">')
  expect(browser.cookies).toEqual(before)
  const form = new URL(url).search.slice(1)
  const post = { method: 'POST', body: form }
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  const foreign = { ...type, origin: 'https://evil.example' }
  expect((await browser.send('/_enter', { ...post, headers: foreign })).status).toBe(403)
  const hidden = { ...type, origin: 'null' }
  expect((await browser.send('/_enter', { ...post, headers: hidden })).status).toBe(403)
  // What browsers send with a form of a page that has `no-referrer`.
  const own = { ...hidden, 'sec-fetch-site': 'same-origin' }
  expect((await browser.send('/_enter', { ...post, headers: own })).status).toBe(303)
  const status = await (await browser.fetch('/api/v1/auth/status')).json()
  expect(status).toMatchObject({ username: 'Alice A.' })
  // The former session has ended.
  const former = createMakerBrowser(makerUrl)
  for (const [name, value] of before) former.cookies.set(name, value)
  expect((await former.fetch('/api/v1/auth/status')).status).toBe(401)
})

it('tells a user by name, else by subject', async () => {
  const browser = await signedIn(bob)
  expect(await (await browser.fetch('/api/v1/auth/status')).json()).toEqual({
    configured: true,
    authenticated: true,
    username: bob.sub,
    user_id: null,
    role: 'user',
  })
})

it('opens only own presentations', async () => {
  expect(
    (await bob.api(`/presentations/${presentation.id}/maker`, { method: 'POST' })).status,
  ).toBe(404)
  const browser = await signedIn(bob)
  for (const id of [presentation.id, crypto.randomUUID(), 'x', '%2e%2e%2fx'])
    expect((await browser.open(`/open/${id}`)).status).toBe(404)
})

it('sends a visitor without a session to sign in, for any id', async () => {
  for (const id of [presentation.id, crypto.randomUUID()]) {
    const response = await newBrowser().open(`/open/${id}`)
    expect(response.status).toBe(303)
    const returnTo = encodeURIComponent(`${makerUrl()}/open/${id}`)
    expect(response.headers.get('location')).toBe(`https://app.example.com/login?next=${returnTo}`)
  }
  expect((await newBrowser().open('/open/nothing')).status).toBe(303)
  const fetched = await newBrowser().fetch('/api/v1/auth/status')
  expect(fetched.status).toBe(401)
  expect(await fetched.json()).toEqual({ detail: expect.any(String) })
  const next = await newBrowser().fetch('/api/runtime-config')
  expect(next.status).toBe(401)
  expect(await next.json()).toEqual({ error: expect.any(String) })
})

it('returns to the pages that can be named, and to no other', async () => {
  const id = presentation.id
  for (const [given, path] of [
    [undefined, '/dashboard'],
    ['/dashboard', '/dashboard'],
    ['/upload', '/upload'],
    [`/open/${id}`, `/open/${id}`],
    [`${makerUrl()}/open/${id}`, `/open/${id}`],
    [`/presentation?id=${id.toUpperCase()}`, `/presentation?id=${id}`],
  ]) {
    const body = given === undefined ? {} : { return_to: given }
    const entered = await newBrowser().open(await linkFor(alice, '/maker', body))
    expect(entered.headers.get('location')).toBe(path)
  }
  for (const return_to of [
    '/settings',
    '//evil.example/dashboard',
    '/\\evil.example/dashboard',
    'https://evil.example/dashboard',
    `/presentation?id=${id}&stream=true`,
    '/presentation?id=x',
    '/dashboard?x=1',
    '/dashboard#x',
    '/open/x',
    '/open/../settings',
    '',
  ]) {
    const response = await alice.api('/maker', { method: 'POST', body: { return_to } })
    expect(response.status, return_to).toBe(400)
  }
})

it('ends a session with the token it came from, unless it is renewed', async () => {
  const carol = await world.createUser('carol')
  const browser = await signedIn(carol)
  const other = await signedIn(carol)
  await world.query(
    'update gateway.maker_sessions set expires_at = now() + $2::interval where user_id = $1',
    [carol.sub, '5 seconds'],
  )
  const renewed = await carol.api('/maker/renew', { method: 'POST' })
  expect(renewed.status).toBe(200)
  expect(renewed.body).toEqual({ expires_at: expect.any(String), sessions: 2 })
  const [row] = await world.query<{ at: Date }>(
    'select min(expires_at) as at from gateway.maker_sessions where user_id = $1',
    [carol.sub],
  )
  expect(row?.at.toISOString()).toBe(renewed.body.expires_at)
  await world.query('update gateway.maker_sessions set expires_at = now() where user_id = $1', [
    carol.sub,
  ])
  expect((await browser.fetch('/api/v1/auth/status')).status).toBe(401)
  expect((await browser.open('/open/x')).status).toBe(303)
  expect((await other.open('/dashboard')).status).toBe(303)
  expect((await carol.api('/maker/renew', { method: 'POST' })).body.sessions).toBe(0)
})

it('ends all sessions of a user on request, and one by logout', async () => {
  const dave = await world.createUser('dave')
  const browsers = [await signedIn(dave), await signedIn(dave), await signedIn(dave)]
  const [first, ...others] = browsers
  expect((await first?.fetch('/api/v1/auth/logout', { method: 'POST' }))?.status).toBe(200)
  expect(first?.cookies.size).toBe(0)
  for (const browser of others)
    expect((await browser.fetch('/api/v1/auth/status')).status).toBe(200)
  expect((await dave.api('/maker', { method: 'DELETE' })).status).toBe(204)
  for (const browser of others)
    expect((await browser.fetch('/api/v1/auth/status')).status).toBe(401)
})

it('keeps the credentials of the API and of the maker apart', async () => {
  const browser = await signedIn()
  const [cookie = ''] = [...browser.cookies].map(([name, value]) => `${name}=${value}`)
  const id = presentation.id
  const api = await fetch(`${world.url}/api/v1/presentations/${id}`, { headers: { cookie } })
  expect(api.status).toBe(401)
  for (const headers of [
    { authorization: `Bearer ${alice.token}` },
    { cookie: `gateway_session=${alice.token}` },
    // Two cookies: one of them was planted.
    { cookie: `${cookie}; maker_session=${'x'.repeat(43)}` },
  ]) {
    const response = await newBrowser().send('/api/v1/auth/status', { headers })
    expect(response.status).toBe(401)
  }
})

it('takes changes from its own pages only', async () => {
  const browser = await signedIn()
  const logout = (headers: Record<string, string>) =>
    browser.send('/api/v1/auth/logout', { method: 'POST', headers })
  expect((await logout({})).status).toBe(403)
  expect((await logout({ 'sec-fetch-site': 'same-site' })).status).toBe(403)
  expect((await logout({ origin: world.url })).status).toBe(403)
  expect((await logout({ origin: makerUrl() })).status).toBe(200)
})

it('is 404 for what has no row, and 405 for another method', async () => {
  const browser = await signedIn()
  expect((await browser.fetch('/settings')).status).toBe(404)
  expect((await browser.fetch('/settings', { method: 'POST' })).status).toBe(404)
  expect((await browser.fetch('/api/v1/ppt/nothing')).status).toBe(404)
  const other = await browser.fetch('/api/v1/auth/status', { method: 'DELETE' })
  expect(other.status).toBe(405)
  expect(other.headers.get('allow')).toBe('GET')
})

it('says what is missing', async () => {
  const queued = await alice.submit({ ...brief, content: 'Other words. '.repeat(20) })
  await world.query(
    'update gateway.presentations set presenton_presentation_id = null where id = $1',
    [queued.id],
  )
  const response = await alice.api(`/presentations/${queued.id}/maker`, { method: 'POST' })
  expect(response.status).toBe(409)
  expect(response.body.code).toBe('NOT_READY')
})
