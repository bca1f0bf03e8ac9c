// How sessions begin and end across replicas, in frames too, and what ends with them.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createMakerBrowser, navigation } from '../journeys/maker-browser.ts'
import type { User } from '../journeys/user.ts'
import type { Gateway } from '../sandbox/gateway.ts'
import {
  createCalls,
  messagesOf,
  openPaidWorld,
  type PaidWorld,
  submitHeldInSlides,
} from './paid/test-world.ts'

const ancestor = 'http://localhost:4000'
const signInUrl = 'https://app.example.com/login?next={return_to}'

let world: PaidWorld['world']
let close: PaidWorld['close']
/** It may be shown in frames. */
let framed: Gateway
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld({ MAKER_SIGN_IN_URL: signInUrl }))
  framed = await world.openReplica({ MAKER_FRAME_ANCESTORS: ancestor })
}, 120_000)
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call } = createCalls(() => world)
const makerUrl = () => world.gateways[0]?.makerUrl ?? ''

async function ticketOf(user: User) {
  const { body } = await user.api('/maker', { method: 'POST', body: {} })
  return new URL(body.url).search
}

const inFrame = { ...navigation, 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'same-site' }

test('a ticket is used in a frame where frames are allowed, once over all replicas', async () => {
  const user = await world.createUser()
  const search = await ticketOf(user)
  const elsewhere = createMakerBrowser(makerUrl)
  const refused = await elsewhere.send(`/_enter${search}`, { headers: inFrame })
  expect(refused.status).toBe(403)
  expect(refused.headers.get('x-frame-options')).toBe('DENY')
  expect(refused.headers.get('content-security-policy')).toMatch(/frame-ancestors 'none'$/)
  const browsers = [0, 1, 2, 3].map(() => createMakerBrowser(() => framed.makerUrl ?? ''))
  const entered = await Promise.all(
    browsers.map((browser) => browser.send(`/_enter${search}`, { headers: inFrame })),
  )
  expect(entered.map(({ status }) => status).toSorted()).toEqual([303, 401, 401, 401])
  // The refused frame did not use the ticket up, and the used one opens no other replica.
  expect((await elsewhere.open(`/_enter${search}`)).status).toBe(401)
  const browser = browsers.find(({ cookies }) => cookies.size > 0)
  const page = await browser?.send('/dashboard', { headers: inFrame })
  expect(page?.status).toBe(200)
  expect(page?.headers.get('content-security-policy')).toMatch(
    new RegExp(`frame-ancestors ${ancestor}$`),
  )
  expect(page?.headers.get('x-frame-options')).toBeNull()
})

test('no session is fixed: entering makes a new one, and ends the one before', async () => {
  const [user, attacker] = [await world.createUser(), await world.createUser('attacker')]
  const browser = createMakerBrowser(makerUrl)
  const planted = 'p'.repeat(43)
  browser.cookies.set('maker_session', planted)
  expect((await browser.open(`/_enter${await ticketOf(user)}`)).status).toBe(303)
  const first = browser.cookies.get('maker_session')
  expect(first).not.toBe(planted)
  const as = async (value = '') => {
    const cookie = `maker_session=${value}`
    const headers = { cookie, 'sec-fetch-site': 'same-origin' }
    return (await createMakerBrowser(makerUrl).send('/api/v1/auth/status', { headers })).status
  }
  expect([await as(planted), await as(first)]).toEqual([401, 200])
  expect((await browser.open(`/_enter${await ticketOf(user)}`)).status).toBe(303)
  expect([await as(first), await as(browser.cookies.get('maker_session'))]).toEqual([401, 200])
  // A link of the attacker's, opened in the browser of the user, changes nothing by itself.
  const before = browser.cookies.get('maker_session')
  const asked = await browser.open(`/_enter${await ticketOf(attacker)}`)
  expect([asked.status, asked.headers.get('set-cookie')]).toEqual([200, null])
  expect(await as(before)).toBe(200)
})

test('what a link says becomes no header, and leads to no other site', async () => {
  const user = await world.createUser()
  const crlf = '\r\nSet-Cookie: planted=1\r\n\r\n<script>'
  for (const returnTo of [
    `/dashboard${crlf}`,
    `/open/${crypto.randomUUID()}${crlf}`,
    `/presentation?id=${crypto.randomUUID()}${crlf}`,
    `${makerUrl()}@evil.example/dashboard`,
    `${makerUrl()}.evil.example/dashboard`,
    `/\t/evil.example/dashboard`,
    'javascript:alert(1)//dashboard',
    `/dashboard?${crlf}`,
    '/dash\u0000board',
  ]) {
    const { status } = await user.api('/maker', { method: 'POST', body: { return_to: returnTo } })
    expect(status, returnTo).toBe(400)
  }
  const visitor = createMakerBrowser(makerUrl)
  for (const path of [
    `/open/${encodeURIComponent(crlf)}`,
    `/presentation?id=${encodeURIComponent(crlf)}`,
    `/dashboard?x=${encodeURIComponent(crlf)}`,
    `/_enter?ticket=${encodeURIComponent(crlf)}`,
    `/_maker/sign-in?return_to=${encodeURIComponent(`//evil.example/${crlf}`)}`,
    '/_maker/sign-in?return_to=https://evil.example/&return_to=//evil.example',
  ]) {
    const response = await visitor.open(path)
    expect([303, 401, 404], path).toContain(response.status)
    expect(response.headers.get('set-cookie'), path).toBeNull()
    expect(await response.text(), path).not.toContain('<script>')
    const location = response.headers.get('location')
    if (location === null) continue
    expect(location, path).toMatch(/^https:\/\/app\.example\.com\/login\?next=[^/]+$/)
    expect(decodeURIComponent(location), path).not.toMatch(/evil|planted/)
  }
})

test('a sign-out at one replica ends the stream that another has open', async () => {
  const user = await world.createUser()
  const { id, deckId } = await submitHeldInSlides(world, user)
  const stream = await call(user, `presentation/stream/${deckId}`, { gateway: framed })
  expect(stream.status).toBe(200)
  expect((await user.api('/maker', { method: 'DELETE' })).status).toBe(204)
  const [last] = (await messagesOf(Promise.resolve(stream))).slice(-1)
  expect(last).toEqual({ type: 'error', detail: 'Your session in the slide maker is over.' })
  world.presenton.gates.releaseAll()
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', run: 1 })
})

test('a grant of a regeneration ends with its session, and after two minutes', async () => {
  const user = await world.createUser()
  const { id, presenton_presentation_id: deckId } = await user.generate()
  const page = `/presentation?id=${deckId}&stream=true`
  const regenerate = (session: string) => call(user, page, { headers: { rsc: '1' }, session })
  const stream = (session: string) =>
    messagesOf(call(user, `presentation/stream/${deckId}`, { session }))
  const spent = world.presenton.spend.slideStreams
  expect((await regenerate('first')).status).toBe(200)
  await user.api('/maker', { method: 'DELETE' })
  expect((await call(user, `presentation/stream/${deckId}`, { session: 'first' })).status).toBe(401)
  expect((await stream('second')).at(-1)?.type).toBe('complete')
  expect((await regenerate('second')).status).toBe(200)
  await world.query(`update gateway.maker_grants set expires_at = now()`)
  expect((await stream('second')).at(-1)?.type).toBe('complete')
  expect(await user.read(id)).toMatchObject({ run: 1, revision: 1 })
  expect(world.presenton.spend.slideStreams).toBe(spent)
})
