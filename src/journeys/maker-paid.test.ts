// What costs money in the slide maker, at its listener: a session, pages of its own origin, and the
// whole way from a text to a file.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMakerBrowser, makerCredentials, makerEnv, signInToMaker } from './maker-browser.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld({ shape: 'B1', credentials: makerCredentials, env: makerEnv })
}, 120_000)
afterAll(() => world?.close())

const api = '/api/v1/ppt'

async function signIn(name: string) {
  const user = await world.createUser(name)
  return { user, browser: await signInToMaker(user, () => world.gateways[0]?.makerUrl ?? '') }
}

it('makes a deck from a text, and exports it', async () => {
  const { user, browser } = await signIn('alice')
  const brief = { content: 'The bridge. The ferry. The port.', n_slides: 3 }
  const created = await browser.fetch(`${api}/presentation/create`, { method: 'POST', body: brief })
  expect(created.status).toBe(200)
  const { id: deckId } = (await created.json()) as { id: string }
  const outlines = await (await browser.fetch(`${api}/outlines/stream/${deckId}`)).text()
  const complete = JSON.parse(/^data: (\{"type":"complete".*)$/m.exec(outlines)?.[1] ?? '{}')
  expect(complete.presentation.outlines.slides).toHaveLength(3)
  const { items } = (await user.api('/presentations')).body
  await user.waitUntilSettled(items[0].id)
  const body = {
    presentation_id: deckId.toUpperCase(),
    outlines: complete.presentation.outlines.slides,
    layout: 'general',
  }
  const prepared = await browser.fetch(`${api}/presentation/prepare`, { method: 'POST', body })
  expect(await prepared.json()).toEqual({ presentation_id: deckId })
  const slides = await (await browser.fetch(`${api}/presentation/stream/${deckId}`)).text()
  expect(slides).toContain('"type":"complete"')
  const text = JSON.stringify({ format: 'pdf', id: deckId, title: 'x' })
  const exported = await browser.fetch('/api/export-presentation', {
    ...{ method: 'POST', body: text, headers: { 'content-type': 'text/plain;charset=UTF-8' } },
  })
  const { path } = (await exported.json()) as { path: string }
  const file = await browser.open(path, { 'sec-fetch-site': 'same-origin' })
  expect(file.status).toBe(302)
  const bytes = await (await fetch(file.headers.get('location') ?? '')).text()
  expect(bytes.startsWith('%PDF')).toBe(true)
})

it('spends nothing for other sites, other users, and visitors without a session', async () => {
  const { user, browser } = await signIn('alice')
  const { browser: other } = await signIn('bob')
  const { presenton_presentation_id: deckId } = await user.generate()
  const edits = world.presenton.edits
  const message = { presentation_id: deckId, message: 'tool:none' }
  const request = { method: 'POST', body: message }
  const path = `${api}/chat/message/stream`
  expect((await other.fetch(path, request)).status).toBe(404)
  const visitor = createMakerBrowser(() => world.gateways[0]?.makerUrl ?? '')
  expect((await visitor.fetch(path, request)).status).toBe(401)
  const crossSite = { ...request, headers: { 'sec-fetch-site': 'cross-site' } }
  expect((await browser.fetch(path, crossSite)).status).toBe(403)
  expect((await browser.send(`${api}/images/generate?prompt=x`)).status).toBe(403)
  expect(world.presenton.edits).toBe(edits)
  expect(world.presenton.generatedImages).toBe(0)
  expect((await (await browser.fetch(path, request)).text()).trim()).toContain('"type":"complete"')
  expect(world.presenton.edits).toBe(edits + 1)
})
