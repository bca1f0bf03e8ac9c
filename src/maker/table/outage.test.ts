// Every row of the maker's table while Presenton is away and the circuit is open: what needs it is
// refused at once, with a sentence that the interface shows, and nothing is counted or half done.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MakerBrowser, signInToMaker } from '../../journeys/maker-browser.ts'
import type { User } from '../../journeys/user.ts'
import { upstreamDuring } from '../files/test-world.ts'
import { openPaidWorld, type PaidWorld } from '../paid/test-world.ts'
import { table } from './table.ts'
import { createOwned, named, type Owned, requestOf } from './test-requests.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
let user: User
let browser: MakerBrowser
let owned: Owned
beforeAll(async () => {
  const env = {
    BREAKER_MIN_CALLS: '1',
    BREAKER_ERROR_PERCENT: '1',
    BREAKER_RESET_SECONDS: '100000',
  }
  ;({ world, close } = await openPaidWorld(env))
  user = await world.createUser()
  browser = await signIn()
  owned = await createOwned(user, browser)
  world.presenton.faults.inject('search-images:502')
  expect((await browser.fetch('/api/v1/ppt/images/search?query=x')).status).toBe(503)
}, 120_000)
afterAll(() => close())

const signIn = () => signInToMaker(user, () => world.gateways[0]?.makerUrl ?? '')

/** Rows that respond from what the gateway has. Any other row asks upstream. */
const ownResponses = new Set([
  ...table.filter((row) => row.class === 'local').map(named),
  ...['GET /api/v1/ppt/presentation/all', 'DELETE /api/v1/ppt/presentation/:id'],
  ...['GET /api/v1/ppt/outlines/stream/:id', 'GET /api/v1/ppt/outlines/:id'],
  ...['PUT /api/v1/ppt/outlines/:id', 'GET /api/v1/ppt/presentation/stream/:id'],
  // Its template is known, and its run waits.
  'POST /api/v1/ppt/presentation/prepare',
  ...['POST /api/export-presentation', 'GET /api/export-presentation/file'],
  ...['POST /api/v1/ppt/files/upload', 'POST /api/read-file'],
])

/** What a refused request must not change. */
async function stateOf() {
  const rows = await world.query(
    'select id, status, run, revision from gateway.presentations order by id',
  )
  const uses = await world.query('select kind from gateway.maker_uses')
  const turns = await world.query('select presentation_id from gateway.chat_turns')
  const { edits_per_day: edits } = (await user.api('/usage')).body
  return { rows, uses, turns, edits }
}

test.each(table.map((row) => [named(row), row] as const))('%s', async (name, row) => {
  // Logout would end the session of the tests that follow.
  const used = row.handler === 'logout' ? await signIn() : browser
  const { target, request } = await requestOf(row, owned)
  const before = await stateOf()
  const upstream = await upstreamDuring(world, async () => {
    const response = await used.fetch(target, request)
    const text = await response.text()
    if (ownResponses.has(name)) return expect(response.status, text).toBeLessThan(400)
    expect(response.status, text).toBe(503)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    const member = /^\/api\/(?!v1\/)/.test(target) ? 'error' : 'detail'
    expect(JSON.parse(text)).toEqual({ [member]: expect.stringMatching(/^[A-Z].* .*\.$/) })
    return expect(await stateOf()).toEqual(before)
  })
  expect(upstream).toEqual([])
})

test.each(table.filter((row) => row.class === 'page').map((row) => [named(row), row] as const))(
  '%s, as a document, says it on a page',
  async (_, row) => {
    const response = await browser.open((await requestOf(row, owned)).target)
    expect(response.status).toBe(503)
    expect(response.headers.get('content-type')).toMatch(/^text\/html/)
    expect(await response.text()).toContain('temporarily unavailable')
  },
)

test('what the gateway knows itself is told first', async () => {
  const body = { content: 'x', file_paths: ['/documents/x/y'] }
  const request = { method: 'POST', body }
  expect((await browser.fetch('/api/v1/ppt/presentation/create', request)).status).toBe(404)
})
