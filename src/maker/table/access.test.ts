// Every row of the maker's table, for the owner of a deck, another user, a visitor, and a session
// that has expired; and everything that is refused. What the table decides alone, upstream never
// sees.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createMakerBrowser,
  type MakerBrowser,
  makerCredentials,
  makerEnv,
} from '../../journeys/maker-browser.ts'
import type { User } from '../../journeys/user.ts'
import { openWorld, type World } from '../../journeys/world.ts'
import { refusals } from './refused.ts'
import type { Row } from './row.ts'
import { table } from './table.ts'

let world: World
let deckId: string
let owner: MakerBrowser
let other: MakerBrowser
let expired: MakerBrowser
const visitor = createMakerBrowser(makerUrl)

function makerUrl() {
  return world.gateways[0]?.makerUrl ?? ''
}

async function signIn(user: User) {
  const browser = createMakerBrowser(makerUrl)
  const { body } = await user.api('/maker', { method: 'POST', body: {} })
  await browser.open(body.url)
  return browser
}

beforeAll(async () => {
  world = await openWorld({
    ...{ shape: 'B1', credentials: makerCredentials },
    env: { ...makerEnv, MAKER_RATE_PER_MINUTE: '100000' },
  })
  const [alice, bob, carol] = await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => world.createUser(name)),
  )
  if (!alice || !bob || !carol) throw new Error('three users were made')
  deckId = String((await alice.generate())['presenton_presentation_id'])
  owner = await signIn(alice)
  other = await signIn(bob)
  expired = await signIn(carol)
  await world.query('update gateway.maker_sessions set expires_at = now() where user_id = $1', [
    carol.sub,
  ])
}, 120_000)
afterAll(() => world?.close())

const isUnsafe = ({ method, isUnsafe }: Row) => method !== 'GET' || isUnsafe === true

/** Queries of rows that need one beside ids. */
const queries: Record<string, string> = {
  '/api/update-svg': 'url=/static/icons/placeholder.svg',
  '/_next/image': 'url=/logo.png&w=64&q=75',
}

/** A request that the row matches, with the deck's id wherever the row expects one. */
function requestOf({ method, path, ids = [], body }: Row) {
  const filled = path
    .replaceAll(/:(\w+)\((?:[^()]|\([^()]*\))*\)/g, (_, name) =>
      name === 'folder' ? 'providers' : 'logo.png',
    )
    .replace('*', 'icons/placeholder.svg')
    .replaceAll(/:(\w+)/g, (_, name) => (ids.includes(`path.${name}`) ? deckId : 'general'))
  const parameters = new URLSearchParams(queries[path] ?? '')
  const json: Record<string, unknown> = {}
  for (const place of ids) {
    const [part, ...steps] = place.split('.')
    if (part === 'query') parameters.set(steps[0] ?? '', deckId)
    if (part === 'body') put(json, steps, deckId)
  }
  const query = parameters.size > 0 ? `?${parameters}` : ''
  const form = new FormData()
  form.append('file', new Blob(['Text.'], { type: 'text/plain' }), 'a.txt')
  return {
    target: `${filled}${query}`,
    request: { method, ...(body && { body: body === 'multipart' ? form : json }) },
  }
}

function put(container: Record<string, unknown>, [step = '', ...rest]: string[], id: string): void {
  const name = step.replace('[]', '')
  if (rest.length === 0) container[name] = id
  else {
    const inner = (container[name] as Record<string, unknown> | undefined) ?? {}
    put(step.endsWith('[]') ? inner : inner, rest, id)
    container[name] = step.endsWith('[]') ? [inner] : inner
  }
}

const named = table.map(
  (row) => [`${row.method} ${row.path.replaceAll(/\(.*\)/g, '')}`, row] as const,
)

describe.each(named)('%s', (_, row) => {
  test.skipIf(row.class === 'asset')('is 401 without a live session', async () => {
    const upstream = await world.upstreamDuring(async () => {
      for (const browser of [visitor, expired]) {
        const { target, request } = requestOf(row)
        expect((await browser.fetch(target, request)).status).toBe(401)
      }
    })
    expect(upstream).toEqual([])
  })

  test.runIf(row.class === 'page')('leads a visitor who opens it to sign-in', async () => {
    const { target } = requestOf(row)
    for (const browser of [visitor, expired]) expect((await browser.open(target)).status).toBe(401)
  })

  test.runIf(row.class === 'asset')('needs no session', async () => {
    const { target } = requestOf(row)
    expect([200, 404]).toContain((await visitor.fetch(target)).status)
  })

  test.runIf((row.ids ?? []).length > 0)(
    'is 404 for another user, and an unknown deck',
    async () => {
      const upstream = await world.upstreamDuring(async () => {
        const { target, request } = requestOf(row)
        expect((await other.fetch(target, request)).status).toBe(404)
        const unknown = crypto.randomUUID()
        const body =
          request.body instanceof FormData
            ? request.body
            : JSON.parse(JSON.stringify(request.body ?? null).replaceAll(deckId, unknown))
        const elsewhere = { ...request, ...(request.body && { body }) }
        expect((await owner.fetch(target.replaceAll(deckId, unknown), elsewhere)).status).toBe(404)
      })
      expect(upstream).toEqual([])
    },
  )

  test.runIf(isUnsafe(row))('is 403 from other pages', async () => {
    const upstream = await world.upstreamDuring(async () => {
      for (const headers of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
        { origin: world.url },
        { origin: 'null' },
      ]) {
        const { target, request } = requestOf(row)
        expect((await owner.send(target, { ...request, headers })).status).toBe(403)
      }
    })
    expect(upstream).toEqual([])
  })

  test.skipIf(isUnsafe(row))('is there for the owner', async () => {
    const { target, request } = requestOf(row)
    const { status } = await owner.fetch(target, request)
    expect([401, 403, 405]).not.toContain(status)
    expect(status).toBeLessThan(500)
    if (row.ids) expect(status).not.toBe(404)
  })
})

test('responds 404 to what is refused, or 405 beside a row, without calling upstream', async () => {
  const upstream = await world.upstreamDuring(async () => {
    for (const { method = 'GET', path } of refusals) {
      const target = path.replaceAll(/\{\w+\}/g, deckId)
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
