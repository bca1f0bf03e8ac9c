// Where the API leads to the slide maker: links of presentations and of notifications, and what it
// says of versions.

import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../client/client.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { createMakerBrowser, makerCredentials, makerEnv } from './maker-browser.ts'
import { brief } from './user.ts'
import { openWorld, type WorldOptions } from './world.ts'

async function open(options: WorldOptions = {}) {
  const { env, ...others } = options
  const world = await openWorld({
    ...{ shape: 'B1', credentials: makerCredentials, ...others },
    env: { ...makerEnv, ...env },
  })
  onTestFinished(async () => {
    await world.expectNoLeaks()
    await world.close()
  })
  return { world, makerUrl: world.gateways[0]?.makerUrl ?? '' }
}

test('a presentation and its notification lead to the maker, and to no foreign deck', async () => {
  const { world, makerUrl } = await open()
  const user = await world.createUser()
  const { id, links } = await user.generate()
  expect(links).toMatchObject({ app: null, maker: `${makerUrl}/open/${id}` })
  const listed = await user.api('/presentations')
  expect(listed.body.items[0].links.maker).toBe(links.maker)
  expect((await user.api('/capabilities')).body).toMatchObject({ shape: 'B1', maker: true })
  const { body } = await user.api('/notifications')
  expect(body.items[0]).toMatchObject({ action_url: links.maker, action_text: 'Open' })

  // A deck of the account that all share has none, so its notification leads to our own page.
  await world.query('update gateway.presentations set account = null where id = $1', [id])
  expect((await user.read(id)).links.maker).toBeNull()
  const again = await user.api('/notifications')
  expect(again.body.items[0].action_url).toMatch(new RegExp(`/decks/${id}$`))
})

test('the client gets a link that opens the deck once', async () => {
  const { world, makerUrl } = await open()
  const user = await world.createUser()
  const { id } = await user.generate()
  const gateway = createClient({ baseUrl: world.url, token: () => user.token })
  const link = await gateway.presentations.maker(id)
  expect(link).toEqual({ url: expect.stringMatching(`^${makerUrl}/_enter`), expires_in: 60 })
  const browser = createMakerBrowser(() => makerUrl)
  expect((await browser.open(link.url)).headers.get('location')).toBe(`/open/${id}`)
  expect((await browser.open(`/open/${id}`)).status).toBe(303)
  const other = createClient({ baseUrl: world.url, token: () => user.token })
  const unknown = other.presentations.maker(crypto.randomUUID())
  await expect(unknown).rejects.toMatchObject({ code: 'NOT_FOUND', status: 404 })
})

test('the product’s own page comes first', async () => {
  const { world, makerUrl } = await open({ env: { APP_LINK: 'https://app.example/{id}' } })
  const user = await world.createUser()
  const { id, links } = await user.generate()
  const app = `https://app.example/${id}`
  expect(links).toMatchObject({ app, maker: `${makerUrl}/open/${id}` })
  const { body } = await user.api('/notifications')
  expect(body.items[0].action_url).toBe(app)
})

test('without a maker there is no link', async () => {
  const { world } = await open({ env: { MAKER_PORT: '' } })
  const user = await world.createUser()
  const { id, links } = await user.generate()
  expect(links.maker).toBeNull()
  expect((await user.api('/capabilities')).body.maker).toBe(false)
  const refused = await user.api(`/presentations/${id}/maker`, { method: 'POST' })
  expect(refused).toMatchObject({ status: 409, body: { code: 'NOT_SUPPORTED' } })
})

test('an older version has no maker: a warning says so, and its listener responds 503', async () => {
  const { world, makerUrl } = await open({ shape: 'T' })
  const user = await world.createUser()
  const { links } = await user.generate(brief)
  expect(links.maker).toBeNull()
  expect((await user.api('/capabilities')).body).toMatchObject({ shape: 'T', maker: false })
  const logs = () => world.gateways[0]?.logs.join('\n') ?? ''
  await waitFor(() => expect(logs()).toContain('the connected version is 0.8'))
  const browser = createMakerBrowser(() => makerUrl)
  for (const path of ['/', '/dashboard', '/Logo.svg', '/api/v1/auth/status', '/nothing', '/_enter'])
    expect((await browser.open(path)).status, path).toBe(503)
  expect(await (await browser.fetch('/api/v1/auth/status')).json()).toEqual({
    detail: 'The connected Presenton has no slide maker. It needs version 0.9.3.',
  })
})

test('a later version has one: a warning names it', async () => {
  const { world, makerUrl } = await open({ shape: 'B2' })
  const user = await world.createUser()
  const { id, links } = await user.generate()
  expect(links.maker).toBe(`${makerUrl}/open/${id}`)
  const logs = () => world.gateways[0]?.logs.join('\n') ?? ''
  await waitFor(() => expect(logs()).toContain('version is later than 0.9.3'))
})
