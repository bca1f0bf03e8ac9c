// The page over the sandbox, in a real browser, as a newcomer uses it. A violation of its content
// security policy or an error of its program fails the test.

import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import type { BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Browser, openChromium, type Page } from '../../sandbox/chromium.ts'
import { openSandbox, type Sandbox } from '../../sandbox/sandbox.ts'

const screenshots = fileURLToPath(new URL('../../../.sandbox/screenshots/', import.meta.url))
mkdirSync(screenshots, { recursive: true })

let sandbox: Sandbox
let browser: Browser
let origin: string
let errors: string[] = []
beforeAll(async () => {
  sandbox = await openSandbox({ env: { ...process.env, PORT: '0' } })
  browser = await openChromium()
  origin = sandbox.url.replace('127.0.0.1', 'localhost')
})
afterEach(async () => {
  for (const context of browser.contexts()) await context.close()
  // The first question of a visitor who is not signed in is refused.
  expect(errors.filter((text) => !text.includes('401 (Unauthorized)'))).toEqual([])
  errors = []
})
afterAll(async () => {
  await browser.close()
  await sandbox.close()
})

async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })
  const page = await context.newPage()
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  page.on('pageerror', (error) => errors.push(error.message))
  await page.goto(`${origin}/`)
  return page
}

async function signIn(options?: BrowserContextOptions): Promise<Page> {
  const page = await openPage(options)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('heading', { name: 'Make a deck' }).waitFor()
  return page
}

const shoot = (page: Page, name: string) =>
  page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true })

async function expectAccessible(page: Page) {
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
}

async function makeDeck(page: Page, summary: string, title?: string) {
  await page.getByRole('textbox', { name: 'Summary' }).fill(summary)
  if (title !== undefined) {
    await page.locator('summary', { hasText: 'Options' }).click()
    await page.getByRole('textbox', { name: 'Title' }).fill(title)
  }
  await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
  await page.waitForURL(/\/decks\/[0-9a-f-]{36}$/)
}

const isReady = (page: Page) =>
  page
    .getByRole('button', { name: /Download PPTX/ })
    .or(page.getByRole('link', { name: /Download PPTX/ }))
    .first()
    .waitFor()

const summary =
  'We looked back at the first quarter. Answers got faster, from nine hours to four. Half of all questions were about invoices. We agreed to write better invoices before we hire more people. Anna draws a first version by Friday.'

test.each(['light', 'dark'] as const)(
  'a newcomer signs in with one click, sees what to do, and makes a deck (%s)',
  async (colorScheme) => {
    const visitor = await openPage({ colorScheme })
    await shoot(visitor, `sign-in-${colorScheme}`)
    await expectAccessible(visitor)
    const page = await signIn({ colorScheme })
    expect(new URL(page.url()).hash).toBe('')
    await shoot(page, `home-${colorScheme}`)
    await expectAccessible(page)
    await page.getByRole('button', { name: 'A cooler town' }).click()
    await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
    await page.waitForURL(/\/decks\//)
    await isReady(page)
    await shoot(page, `deck-${colorScheme}`)
    await expectAccessible(page)
  },
)

test('a reload and a lost network in the middle of a run end with the file', async () => {
  const page = await signIn()
  await makeDeck(page, summary)
  await page.reload()
  await page.context().setOffline(true)
  await page.waitForFunction('!navigator.onLine')
  await page.context().setOffline(false)
  await isReady(page)
  errors = errors.filter((text) => !text.includes('net::ERR'))
})

test('markup in texts stays text', async () => {
  const page = await signIn()
  const markup = '<img src=x onerror=alert(1)><b>bold</b>'
  await makeDeck(page, `${summary} ${markup} مرحبا 🌉`, markup)
  await isReady(page)
  await page.getByRole('heading', { name: markup }).waitFor()
  expect(await page.locator('img[src="x"]').count()).toBe(0)
})

test('fits a phone of 320 px without scrolling sideways', async () => {
  const page = await signIn({ viewport: { width: 320, height: 720 }, hasTouch: true })
  await shoot(page, 'home-phone')
  const width = () => page.evaluate('document.documentElement.scrollWidth')
  expect(await width()).toBeLessThanOrEqual(320)
  await makeDeck(page, summary)
  await isReady(page)
  await shoot(page, 'deck-phone')
  expect(await width()).toBeLessThanOrEqual(320)
  await expectAccessible(page)
})

test('settings sign out, and unknown decks show a way home', async () => {
  const page = await signIn()
  await page.goto(`${origin}/decks/nothing`)
  await page
    .getByRole('link', { name: /your decks|home|back/i })
    .first()
    .waitFor()
  errors = errors.filter((text) => !text.includes('404'))
  await page.goto(`${origin}/settings`)
  await shoot(page, 'settings')
  await expectAccessible(page)
  await page.getByRole('button', { name: /sign out/i }).click()
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
})
