// The slide maker in a real browser, over the stand-in's interface, which sends what the real one
// sends: from the page into the editor, and everything that can be done there.

import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Page } from '../../sandbox/chromium.ts'
import { createMakerSteps, type MakerSteps } from './maker-steps.ts'
import { openPageWorld, type PageWorld, shoot, summary } from './page-world.ts'

let world: PageWorld
let steps: MakerSteps
beforeAll(async () => {
  world = await openPageWorld({}, { maker: true })
  steps = createMakerSteps(world)
})
afterEach(() => world.closePages())
afterAll(() => world.close())

const spend = () => ({ ...world.sandbox.standIn?.spend })
const slides = (maker: Page) => maker.getByRole('list', { name: 'Slides' }).getByRole('button')
const title = (maker: Page) =>
  maker.getByRole('region', { name: 'Slide' }).getByRole('textbox').first()

test('a deck of the page is opened and edited, and a reload shows the edits', async () => {
  const { maker, page } = await steps.openDeck()
  await shoot(maker, 'maker-editor')
  const count = await slides(maker).count()

  await steps.saved(maker, 'slide_update', () => title(maker).fill('Seen after a reload'))
  await maker.reload()
  await expect.poll(() => title(maker).inputValue()).toBe('Seen after a reload')

  const press = (name: string) => maker.getByRole('button', { name, exact: true }).click()
  await steps.saved(maker, 'update', () => press('Move down'))
  await steps.saved(maker, 'update', () => press('Add slide'))
  await steps.saved(maker, 'update', () => press('Duplicate slide'))
  await maker.reload()
  await expect.poll(() => slides(maker).count()).toBe(count + 2)
  expect(await slides(maker).nth(1).textContent()).toBe('Seen after a reload')
  await slides(maker).nth(3).click()
  await steps.saved(maker, 'update', () => press('Delete slide'))
  await steps.saved(maker, 'update', () =>
    maker
      .getByLabel('Title', { exact: true })
      .fill('Named here')
      .then(() => maker.keyboard.press('Tab')),
  )
  await maker.reload()
  await expect.poll(() => slides(maker).count()).toBe(count + 1)
  await page.reload()
  await page.getByRole('heading', { name: 'Named here' }).waitFor()
  expect(spend()).toMatchObject({ outlines: 1, slideStreams: 1 })
})

test('the assistant changes a slide, and both formats are exported', async () => {
  const { maker } = await steps.openDeck()
  await maker.getByRole('textbox', { name: 'Message' }).fill('tool:deleteSlide {"index":1}')
  const count = await slides(maker).count()
  await maker.getByRole('button', { name: 'Send' }).click()
  await maker.getByText('Done: deleteSlide.').waitFor()
  await expect.poll(() => slides(maker).count()).toBe(count - 1)
  await shoot(maker, 'maker-chat')
  await maker.reload()
  await maker.getByText('Done: deleteSlide.').waitFor()

  for (const [name, start] of [
    ['PPTX', 'PK'],
    ['PDF', '%PDF'],
  ] as const) {
    const [download] = await Promise.all([
      maker.waitForEvent('download'),
      maker.getByRole('button', { name: `Export ${name}` }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(new RegExp(`\\.${name.toLowerCase()}$`))
    expect(readFileSync(await download.path(), 'latin1').startsWith(start)).toBe(true)
  }
})

test('a deck is made from the list with a document, outlines edited, and made once', async () => {
  const maker = await steps.openDashboard()
  await shoot(maker, 'maker-dashboard')
  const before = spend()
  await maker.getByRole('main').getByRole('link', { name: 'New presentation' }).click()
  await maker.getByLabel('Text').fill(summary)
  await maker.getByLabel('Slides').selectOption('5')
  await maker.getByLabel('Documents').setInputFiles({
    ...{ name: 'Notes.txt', mimeType: 'text/plain' },
    buffer: Buffer.from('The ferry runs until then.'),
  })
  await shoot(maker, 'maker-upload')
  await maker.getByRole('button', { name: 'Get started' }).click()
  await maker.getByRole('group', { name: 'Templates' }).getByRole('button').first().click()
  const outline = maker.getByRole('textbox', { name: 'Outline 2' })
  await outline.waitFor()
  await shoot(maker, 'maker-outlines')
  const put = maker.waitForResponse((response) => response.request().method() === 'PUT')
  await outline.fill('# Written by hand\n- Two words')
  expect((await put).status()).toBe(200)
  await maker.getByRole('button', { name: 'Continue' }).click()
  await steps.isMade(maker)
  expect(await slides(maker).allTextContents()).toContain('Written by hand')
  expect(spend()).toMatchObject({
    outlines: (before.outlines ?? 0) + 1,
    slideStreams: (before.slideStreams ?? 0) + 1,
  })

  await maker.getByRole('link', { name: 'Presentations' }).click()
  const copy = maker.getByRole('button', { name: /^Duplicate / }).first()
  await copy.click()
  const remove = maker.getByRole('button', { name: /^Delete .*\(Copy\)$/ })
  await remove.click()
  await remove.waitFor({ state: 'detached' })
  await maker.getByRole('button', { name: 'Blank presentation' }).click()
  await maker.getByText('Blank slide').waitFor()
})

test('who leaves in the middle comes back to the same run, in any number of tabs', async () => {
  const maker = await steps.openDashboard()
  const gates = world.sandbox.standIn?.gates
  await steps.startDeck(maker)
  const before = spend()
  gates?.hold('slides:complete')
  await maker.getByRole('button', { name: 'Continue' }).click()
  await maker.waitForURL(/stream=true/)
  await slides(maker).first().waitFor()
  const link = maker.url()
  const context = maker.context()
  await maker.close()
  const tabs: Page[] = []
  for (let n = 0; n < 5; n += 1) {
    const tab = world.watch(await context.newPage())
    // A pasted link, or one of the list, which leads to the stream as well.
    await tab.goto(n % 2 === 0 ? link : link.replace('&stream=true', ''))
    expect(tab.url()).toContain('stream=true')
    tabs.push(tab)
  }
  gates?.releaseAll()
  for (const tab of tabs) await steps.isMade(tab)
  const late = world.watch(await context.newPage())
  await late.goto(link)
  expect(late.url()).not.toContain('stream')
  await slides(late).first().waitFor()
  for (const tab of tabs) await tab.reload()
  expect(spend().slideStreams).toBe((before.slideStreams ?? 0) + 1)
})

test('Regenerate makes the slides again, once, and nothing else does', async () => {
  const { maker } = await steps.openDeck()
  const before = spend()
  await maker.getByRole('button', { name: 'Regenerate' }).click()
  await maker.waitForURL(/stream=true/)
  await steps.isMade(maker)
  expect(spend()).toMatchObject({
    outlines: before.outlines,
    slideStreams: (before.slideStreams ?? 0) + 1,
  })
  await maker.goBack()
  await maker.goForward()
  await maker.reload()
  await slides(maker).first().waitFor()
  expect(spend().slideStreams).toBe((before.slideStreams ?? 0) + 1)
  await steps.saved(maker, 'slide_update', () => title(maker).fill('After it'))
})
