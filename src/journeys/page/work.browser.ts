// Work with decks on the page, in a real browser: outlines are reviewed, slides changed, documents
// uploaded, decks renamed, filtered, deleted and kept, by mouse and by keyboard, in two tabs.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Page } from '../../sandbox/chromium.ts'
import {
  expectAccessible,
  isHome,
  isReady,
  makeDeck,
  openPageWorld,
  type PageWorld,
  shoot,
  summary,
} from './page-world.ts'

let world: PageWorld
beforeAll(async () => {
  world = await openPageWorld({
    WEBHOOK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8',
  })
})
afterEach(() => world.closePages())
afterAll(() => world.close())

const outline = (page: Page, n: number) => page.getByRole('textbox', { name: `Outline ${n}` })

test('outlines are edited, added, removed and moved, then approved; leaving asks', async () => {
  const page = await world.signIn()
  await makeDeck(page, summary, { review: true, title: 'Support' })
  await page.getByRole('link', { name: 'Review outlines' }).first().click()
  await page.waitForURL(/\/outlines$/)
  await expectAccessible(page)
  await shoot(page, 'outlines')
  const count = await page.getByRole('textbox', { name: /^Outline/ }).count()
  expect(count).toBeGreaterThan(3)

  await outline(page, 1).fill('# Where we stand\nAnswers are faster.')
  await page.getByRole('button', { name: 'Remove outline 2' }).click()
  await page.getByRole('button', { name: 'Add an outline' }).click()
  await outline(page, count).fill('# Ende 🌉\nمرحبا')
  const handle = page.getByRole('button', { name: /^Move outline 1:/ })
  await handle.focus()
  await page.keyboard.press('ArrowDown')
  await expect.poll(() => outline(page, 2).inputValue()).toContain('Where we stand')
  expect(await page.getByRole('status').allTextContents()).toContain(`Now slide 2 of ${count}.`)
  await page.keyboard.press('ArrowUp')
  await expect.poll(() => outline(page, 1).inputValue()).toContain('Where we stand')

  page.once('dialog', (dialog) => void dialog.dismiss())
  await page.getByRole('link', { name: '← Back to the deck' }).click()
  expect(page.url()).toMatch(/\/outlines$/)

  await page.getByRole('button', { name: 'Approve and make the slides' }).click()
  await page.waitForURL(/\/decks\/[0-9a-f-]{36}$/)
  await isReady(page)
  await page.getByText('Where we stand').first().waitFor()
  await page.getByText('Ende 🌉').first().waitFor()
})

test('a slide is changed by an instruction, and the file says that it is outdated', async () => {
  const page = await world.signIn()
  await makeDeck(page, summary)
  await isReady(page)
  await page.getByRole('button', { name: 'Change this slide, number 1' }).click()
  await page.getByRole('textbox', { name: /What should change on slide 1/ }).fill('Say it shorter.')
  await page.getByRole('button', { name: 'Change it' }).click()
  await page.getByText('The files show an earlier version.').waitFor()
  await expectAccessible(page)
  await shoot(page, 'outdated')
  await page.getByRole('button', { name: 'Export the new PPTX' }).click()
  await page.getByRole('button', { name: 'Export PPTX again' }).waitFor()
  await page.getByRole('button', { name: 'Make a PDF' }).click()
  await page.getByRole('button', { name: /Download PDF/ }).waitFor()
})

test('a deck is made from documents; one of a wrong type says so and can be removed', async () => {
  const page = await world.signIn()
  await page.locator('input[type=file]').setInputFiles([
    { name: 'Notizen.txt', mimeType: 'text/plain', buffer: Buffer.from(summary) },
    { name: 'tool.exe', mimeType: 'application/x-msdownload', buffer: Buffer.from('MZ\0\0') },
  ])
  const list = page.getByRole('list', { name: 'Documents' })
  await list.getByText(/ready/).waitFor()
  await list.getByRole('alert').waitFor()
  world.expectErrors(/415/)
  await expectAccessible(page)
  await shoot(page, 'documents')
  await page.getByRole('button', { name: 'Remove tool.exe' }).click()
  await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
  await page.waitForURL(/\/decks\//)
  await isReady(page)
})

test('the library renames, filters, deletes with undo, and deletes', async () => {
  const page = await world.signIn()
  await makeDeck(page, summary, { title: 'First name' })
  await isReady(page)
  await page.getByRole('button', { name: 'Rename' }).click()
  await page.getByRole('textbox', { name: 'Title' }).fill('Second name')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Second name' }).waitFor()
  await page.goto(`${world.origin}/`)
  const row = page.getByRole('link', { name: 'Second name' })
  await row.waitFor()
  await page.getByRole('button', { name: 'Cancelled' }).click()
  await row.waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'All', exact: true }).click()
  await row.waitFor()
  await page.getByRole('button', { name: 'Delete Second name' }).click()
  await row.waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Undo' }).click()
  await row.waitFor()
  await page.getByRole('button', { name: 'Delete Second name' }).click()
  // Leaving sends the deletion at once, beside the questions of the page that comes.
  const isListed = async () => {
    await page.reload()
    await isHome(page)
    await page.waitForFunction('!document.querySelector("ul.decks[aria-busy=true]")')
    return (await row.count()) > 0
  }
  await expect.poll(isListed, { timeout: 60_000 }).toBe(false)
})

test('two tabs show the same deck, and a cancelled one goes on', async () => {
  const page = await world.signIn()
  const gates = world.sandbox.standIn?.gates
  gates?.hold('slides')
  await makeDeck(page, summary)
  const other = await world.openTab(page)
  await other.goto(page.url())
  await page.getByRole('button', { name: 'Cancel' }).first().click()
  for (const tab of [page, other]) await tab.getByText('Cancelled').first().waitFor()
  gates?.releaseAll()
  await other.getByRole('button', { name: 'Try again' }).click()
  await Promise.all([page, other].map(isReady))
})

test('everything is reached by the keyboard alone', async () => {
  const page = await world.openPage()
  const focus = async (name: RegExp) => {
    for (let steps = 0; steps < 80; steps += 1) {
      await page.keyboard.press('Tab')
      const text = await page.evaluate(
        'document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.labels?.[0]?.textContent ?? document.activeElement?.textContent ?? ""',
      )
      if (name.test(String(text))) return
    }
    throw new Error(`no focus on ${name}`)
  }
  await focus(/^Sign in$/)
  await page.keyboard.press('Enter')
  await isHome(page)
  await focus(/^Summary/)
  await page.keyboard.type('The bridge is repaired in May. The ferry runs until then.')
  await focus(/^Make \d+ slides/)
  await page.keyboard.press('Enter')
  await isReady(page)
  await focus(/^Rename$/)
  await page.keyboard.press('Enter')
  await page.keyboard.press('Escape')
  await focus(/^Change this slide, number 1/)
})

test('webhooks are added with their secret shown once, tried and deleted', async () => {
  const page = await world.signIn()
  await page.goto(`${world.origin}/settings`)
  const field = page.getByRole('textbox', { name: 'New webhook' })
  await field.fill('https://10.0.0.1/hook')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.locator('#webhook-trouble').getByText(/\w/).waitFor()
  world.expectErrors(/422/)
  await field.fill('http://127.0.0.1:9/hook')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByText(/^whsec_/).waitFor()
  await expectAccessible(page)
  await shoot(page, 'webhooks')
  await page.reload()
  await page.getByText('http://127.0.0.1:9/hook').waitFor()
  expect(await page.getByText(/whsec_/).count()).toBe(0)
  await page.getByRole('button', { name: 'Delete the webhook http://127.0.0.1:9/hook' }).click()
  await page.getByText('http://127.0.0.1:9/hook').waitFor({ state: 'detached' })
})

test('an address of nothing shows a way home', async () => {
  const page = await world.signIn()
  await page.goto(`${world.origin}/nowhere/at/all`)
  world.expectErrors(/404/)
  await page.getByRole('link', { name: 'Go to your decks' }).click()
  await isHome(page)
})
