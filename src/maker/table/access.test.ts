// Every row of the maker's table, for the owner of a deck, another user, a visitor, and a session
// that has expired; and everything that is refused. What the table decides alone, upstream never
// sees, and nothing of one side's secrets reaches the other.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createMakerBrowser,
  type MakerBrowser,
  makerCredentials,
  makerEnv,
  signInToMaker,
} from '../../journeys/maker-browser.ts'
import type { User } from '../../journeys/user.ts'
import { openWorld, type World } from '../../journeys/world.ts'
import { refusals } from './refused.ts'
import { table } from './table.ts'
import { createOwned, isUnsafe, named, namesOwned, type Owned, requestOf } from './test-requests.ts'

let world: World
let owned: Owned
let alice: User
let bob: User
let owner: MakerBrowser
let other: MakerBrowser
let expired: MakerBrowser
const visitor = createMakerBrowser(makerUrl)

function makerUrl() {
  return world.gateways[0]?.makerUrl ?? ''
}

beforeAll(async () => {
  world = await openWorld({
    ...{ shape: 'B1', credentials: makerCredentials, loginLimit: null },
    cookie: 'presenton_session=of-upstream; Path=/',
    env: { ...makerEnv, MAKER_RATE_PER_MINUTE: '100000' },
  })
  alice = await world.createUser('alice', { name: 'Alice of the harbour' })
  bob = await world.createUser('bob')
  const carol = await world.createUser('carol')
  owner = await signInToMaker(alice, makerUrl)
  other = await signInToMaker(bob, makerUrl)
  expired = await signInToMaker(carol, makerUrl)
  owned = await createOwned(alice, owner)
  await world.query('update gateway.maker_sessions set expires_at = now() where user_id = $1', [
    carol.sub,
  ])
}, 120_000)
afterAll(() => world?.close())

const rows = table.map((row) => [named(row), row] as const)

/** What a browser, a proxy or an attacker may send, and upstream must not get. */
const planted = {
  authorization: 'Bearer planted',
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-host': 'planted.example',
  'x-forwarded-proto': 'planted',
  'x-real-ip': '203.0.113.9',
  'x-original-uri': '/planted',
  'x-export-cookie': 'planted',
  'x-provider-api-key': 'planted',
  'x-api-key': 'planted',
  'user-agent': 'planted',
  referer: 'https://planted.example/',
  forwarded: 'for=203.0.113.9',
}

/** What the owner has, wherever it may stand in a response. */
const marksOf = ({ picture, document, conversationId, ...ids }: Owned) => [
  ...[alice.sub, 'Alice of the harbour', picture, document, conversationId],
  ...[ids.deckId, ids.copyId, ids.draftId, ids.otherDraftId, ids.pictureId, ids.text],
]

/** Upstream's own headers, its session, and its address. */
function expectNothingOfUpstream({ headers }: Response, text: string) {
  for (const name of ['server', 'x-powered-by', 'x-accel-redirect', 'via'])
    expect(headers.get(name), name).toBeNull()
  const shown = `${JSON.stringify([...headers])} ${text}`
  expect(shown).not.toMatch(/of-upstream|presenton_session|"owner_id"/)
  expect(shown).not.toContain(world.presenton.url)
}

describe.each(rows)('%s', (_, row) => {
  if (row.class !== 'asset')
    test('is 401 without a live session', async () => {
      const upstream = await world.upstreamDuring(async () => {
        for (const browser of [visitor, expired]) {
          const { target, request } = await requestOf(row, owned)
          const response = await browser.fetch(target, request)
          expect(response.status).toBe(401)
          const name =
            target.startsWith('/api/') && !target.startsWith('/api/v1/') ? 'error' : 'detail'
          expect(await response.json()).toEqual({ [name]: expect.any(String) })
        }
      })
      expect(upstream).toEqual([])
    })

  if (row.class === 'page')
    test('leads a visitor who opens it to sign-in', async () => {
      const { target } = await requestOf(row, owned)
      for (const browser of [visitor, expired])
        expect((await browser.open(target)).status).toBe(401)
    })

  if ((row.ids ?? []).length > 0)
    test('is 404 for an unknown deck', async () => {
      const upstream = await world.upstreamDuring(async () => {
        const { target, request } = await requestOf(row, owned)
        const ids = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g
        const unknown = (text: string) => text.replaceAll(ids, () => crypto.randomUUID())
        const body = request.body && JSON.parse(unknown(JSON.stringify(request.body)))
        expect((await owner.fetch(unknown(target), { ...request, body })).status).toBe(404)
      })
      expect(upstream).toEqual([])
    })

  if (isUnsafe(row))
    test('is 403 from other pages', async () => {
      const upstream = await world.upstreamDuring(async () => {
        for (const headers of [
          {},
          { 'sec-fetch-site': 'cross-site' },
          { 'sec-fetch-site': 'same-site' },
          { 'sec-fetch-site': 'none' },
          { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
          { 'sec-fetch-site': 'cross-site', origin: 'null' },
          { origin: world.url },
          { origin: 'null' },
        ]) {
          const { target, request } = await requestOf(row, owned)
          const { status } = await owner.send(target, { ...request, headers })
          expect(status, JSON.stringify(headers)).toBe(403)
        }
      })
      expect(upstream).toEqual([])
    })

  test('shows another user nothing of the owner', async () => {
    const asked = await requestOf(row, owned)
    let response: Response | undefined
    const upstream = await world.upstreamDuring(async () => {
      // Logout would end the session of the tests that follow.
      const browser = row.handler === 'logout' ? await signInToMaker(bob, makerUrl) : other
      response = await browser.fetch(asked.target, asked.request)
    })
    const text = (await response?.text()) ?? ''
    if (namesOwned(asked, owned)) expect(response?.status).toBe(404)
    else expect(response?.status).toBeLessThan(500)
    if (row.ids) expect(upstream).toEqual([])
    for (const mark of marksOf(owned)) expect(text).not.toContain(mark)
  })
})

test('responds 404 to what is refused, or 405 beside a row, without calling upstream', async () => {
  const upstream = await world.upstreamDuring(async () => {
    for (const { method = 'GET', path } of refusals) {
      const target = path.replaceAll(/\{\w+\}/g, owned.deckId)
      for (const used of new Set([method, 'POST'])) {
        const { status } = await owner.fetch(target, {
          method: used,
          ...(used !== 'GET' && { body: {} }),
        })
        expect([404, 405], `${used} ${target}`).toContain(status)
      }
    }
  })
  expect(upstream).toEqual([])
})

// Last, since runs that it starts ask upstream at any time.
describe.each(rows)('%s', (_, row) => {
  test('works for the owner, and keeps what is of either side apart', async () => {
    const browser = row.handler === 'logout' ? await signInToMaker(alice, makerUrl) : owner
    browser.cookies.set('presenton_session', 'planted')
    const { target, request } = await requestOf(row, owned)
    let response: Response | undefined
    let text = ''
    const upstream = await world.requestsDuring(async () => {
      response = await browser.fetch(target, { ...request, headers: planted })
      text = await response.text()
    })
    browser.cookies.delete('presenton_session')
    const { status = 0, headers } = response ?? {}
    // The stand-in does not have every file.
    const isMissing = upstream.at(-1)?.status === 404 && (!row.handler || row.class === 'page')
    expect(isMissing ? 404 : status, text).toBe(status)
    if (!isMissing)
      expect(Math.floor(status / 100), text).toSatisfy((kind) => kind === 2 || kind === 3)
    expectNothingOfUpstream(response as Response, text)
    const cookies = headers?.getSetCookie() ?? []
    expect(cookies).toEqual(
      row.handler === 'logout' ? [expect.stringMatching(/^maker_session=;/)] : [],
    )
    expect(upstream.length > 0 || row.handler, 'upstream is asked').toBeTruthy()
    for (const { headers: sent, path } of upstream) {
      const shown = `${path} ${JSON.stringify(sent)}`
      expect(shown).not.toMatch(/planted|203\.0\.113|maker_session|x-original-uri|x-forwarded/i)
      for (const value of owner.cookies.values()) expect(shown).not.toContain(value)
      if (row.class === 'asset') expect(sent['cookie']).toBeUndefined()
    }
  })
})

test('requests are counted by the patterns of the table, and by nothing that a browser chose', async () => {
  const text = await (await fetch(`${world.url}/metrics`)).text()
  const counted = [
    ...text.matchAll(
      /^http_request_duration_seconds_count\{method="(\w+)",route="((?:[^"\\]|\\.)*)"/gm,
    ),
  ].map(([, method, route = '']) => `${method} ${route.replaceAll('\\\\', '\\')}`)
  expect(counted).toEqual(
    expect.arrayContaining(table.map(({ method, path }) => `${method} ${path}`)),
  )
  for (const mark of marksOf(owned)) expect(text).not.toContain(mark)
})
