// The page over the sandbox, in a real browser, as a newcomer uses it.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  expectAccessible,
  isReady,
  makeDeck,
  openPageWorld,
  type PageWorld,
  shoot,
  summary,
} from './page-world.ts'
import { testSpeed } from './speed.ts'

let world: PageWorld
beforeAll(async () => {
  world = await openPageWorld()
})
afterEach(() => world.closePages())
afterAll(() => world.close())

test.each(['light', 'dark'] as const)(
  'a newcomer signs in with one click, sees what to do, and makes a deck (%s)',
  async (colorScheme) => {
    const visitor = await world.openPage({ colorScheme })
    await shoot(visitor, `sign-in-${colorScheme}`)
    await expectAccessible(visitor)
    const page = await world.signIn({ colorScheme })
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
  const page = await world.signIn()
  await makeDeck(page, summary)
  await page.reload()
  await page.context().setOffline(true)
  await page.waitForFunction('!navigator.onLine')
  await page.context().setOffline(false)
  await isReady(page)
  world.expectErrors(/net::ERR/)
})

test('markup in texts stays text', async () => {
  const page = await world.signIn()
  const markup = '<img src=x onerror=alert(1)><b>bold</b>'
  await makeDeck(page, `${summary} ${markup} مرحبا 🌉`, { title: markup })
  await isReady(page)
  await page.getByRole('heading', { name: markup }).waitFor()
  expect(await page.locator('img[src="x"]').count()).toBe(0)
})

test('fits a phone of 320 px without scrolling sideways', async () => {
  const page = await world.signIn({ viewport: { width: 320, height: 720 }, hasTouch: true })
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
  const page = await world.signIn()
  await page.goto(`${world.origin}/decks/nothing`)
  await page
    .getByRole('link', { name: /your decks|home|back/i })
    .first()
    .waitFor()
  world.expectErrors(/404/)
  await page.goto(`${world.origin}/settings`)
  await shoot(page, 'settings')
  await expectAccessible(page)
  await page.getByRole('button', { name: /sign out/i }).click()
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
})

testSpeed(() => world)
