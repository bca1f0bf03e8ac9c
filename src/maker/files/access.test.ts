// Who may use the rows of documents and images: no visitor without a live session, and no other
// site.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createMakerBrowser, type MakerBrowser } from '../../journeys/maker-browser.ts'
import type { User } from '../../journeys/user.ts'
import { openPaidWorld, type PaidWorld } from '../paid/test-world.ts'
import { fileRows } from '../table/files.ts'
import { formOf, notes, upstreamDuring } from './test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
let user: User
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld())
  user = await world.createUser()
})
afterAll(() => close())

async function signIn(): Promise<MakerBrowser> {
  const browser = createMakerBrowser(() => world.gateways[0]?.makerUrl ?? '')
  const { body } = await user.api('/maker', { method: 'POST', body: {} })
  await browser.open(body.url)
  return browser
}

const requests = fileRows.map(({ method, path, body, isUnsafe }) => ({
  method,
  path: path.replace(':id', crypto.randomUUID()),
  body: body === 'multipart' ? () => formOf([notes]) : body === 'json' ? () => ({}) : undefined,
  changes: method !== 'GET' || isUnsafe === true,
}))

test.each(requests)('$method $path needs a live session', async ({ method, path, body }) => {
  const visitor = createMakerBrowser(() => world.gateways[0]?.makerUrl ?? '')
  const expired = await signIn()
  await world.query('update gateway.maker_sessions set expires_at = now() where user_id = $1', [
    user.sub,
  ])
  const upstream = await upstreamDuring(world, async () => {
    for (const browser of [visitor, expired]) {
      const response = await browser.fetch(path, { method, body: body?.() })
      expect(response.status).toBe(401)
      expect(Object.keys((await response.json()) as object)).toHaveLength(1)
    }
  })
  expect(upstream).toEqual([])
})

test.each(requests.filter(({ changes }) => changes))(
  '$method $path is refused to pages of other sites',
  async ({ method, path, body }) => {
    const browser = await signIn()
    const upstream = await upstreamDuring(world, async () => {
      for (const headers of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://evil.example' },
        { origin: 'null', 'sec-fetch-site': 'cross-site' },
      ]) {
        const response = await browser.fetch(path, { method, body: body?.(), headers })
        expect(response.status, JSON.stringify(headers)).toBe(403)
      }
      const response = await browser.send(path, { method, body: body?.() })
      expect(response.status).toBe(403)
    })
    expect(upstream).toEqual([])
    expect((await user.api('/sources')).body.items).toEqual([])
  },
)
