// Every problem code that a user of the page can meet: its sentence is shown where it belongs, what
// was typed stays, and there is a way on.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Page } from '../../sandbox/chromium.ts'
import { testErrorsOfDecks } from './errors-of-decks.ts'
import { testErrorsOfForms } from './errors-of-forms.ts'
import {
  expectAccessible,
  isHome,
  isReady,
  openPageWorld,
  type PageWorld,
  shoot,
  summary,
} from './page-world.ts'
import {
  everywhere,
  neverMet,
  ofChanges,
  ofCreation,
  ofDownloads,
  ofRuns,
  ofUploads,
  type Refusal,
  refuse,
  sentenceOf,
} from './refusals.ts'

let world: PageWorld
let page: Page
let deck: string
let inReview: string
beforeAll(async () => {
  world = await openPageWorld({ RATE_LIMIT_PER_MINUTE: '100000', MAX_SLIDES: '12' })
  const make = async (body: object) =>
    (await world.api('/presentations', { method: 'POST', body: { content: summary, ...body } }))
      .body.id
  inReview = await make({ review_outlines: true, title: 'Support' })
  deck = await make({ n_slides: 3, title: 'Support' })
  for (const id of [deck, inReview]) await world.api(`/presentations/${id}?wait=25`)
  await openAt('/')
})
afterEach(() => {
  // Each refusal is one in the console.
  world.expectErrors(/Failed to load resource/)
})
afterAll(async () => {
  await world.closePages()
  await world.close()
})

/** The page of before shows none of the sentences any more. */
async function openAt(path: string) {
  page ??= await world.signIn()
  await page.unrouteAll({ behavior: 'ignoreErrors' })
  page.removeAllListeners('dialog')
  await page.goto(world.origin + path)
}

const shows = (code: string, where: Page | ReturnType<Page['locator']> = page) =>
  where.getByText(sentenceOf(code)).first().waitFor()

test('each code of the API has its place here', async () => {
  const openApi = (await (await fetch(`${world.origin}/openapi.json`)).json()) as {
    components: { schemas: { Problem: { properties: { code: { enum: string[] } } } } }
  }
  const codes = openApi.components.schemas.Problem.properties.code.enum
  const met = [everywhere, ofCreation, ofUploads, ofChanges, ofDownloads, ofRuns].flat()
  const elsewhere = ['AUTHENTICATION_FAILED', 'NOT_FOUND', 'TOKEN_EXPIRED', 'WEBHOOK_REJECTED']
  const streams = ['TOO_MANY_STREAMS', 'TOO_MANY_CONNECTIONS']
  const tried = new Set([...met.map(({ code }) => code), ...elsewhere, ...streams, ...neverMet])
  expect([...tried].sort()).toEqual(codes.toSorted())
})

describe('a new deck', () => {
  test('is refused in the words of the problem, and the summary stays', async () => {
    await openAt('/')
    const creation = await refuse(page, 'POST', /\/presentations$/)
    const field = page.getByRole('textbox', { name: 'Summary' })
    await field.fill(summary)
    for (const refusal of [...everywhere, ...ofCreation]) {
      creation.now = refusal
      await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
      await shows(refusal.code)
      expect(await field.inputValue()).toBe(summary)
    }
    creation.now = undefined
    await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
    await isReady(page)
  })

  test('with an invalid option shows what is wrong beside it (a real refusal)', async () => {
    await openAt('/')
    await page.getByRole('textbox', { name: 'Summary' }).fill(summary)
    await page.locator('summary', { hasText: 'Options' }).click()
    await page.getByRole('spinbutton', { name: 'Slides' }).fill('99')
    await page.locator('summary', { hasText: 'Options' }).click()
    await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
    await page.locator('#option-n_slides-trouble', { hasText: 'must be <= 12' }).waitFor()
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('option-n_slides')
    await shoot(page, 'error-field')
    await expectAccessible(page)
    await page.getByRole('spinbutton', { name: 'Slides' }).fill('3')
    await page.getByRole('button', { name: 'Make 3 slides' }).click()
    await isReady(page)
  })

  test('says that the gateway asks to wait, and goes on by itself', async () => {
    await openAt('/')
    const creation = await refuse(page, 'POST', /\/presentations$/)
    creation.now = { code: 'QUEUE_FULL', status: 429, retryAfter: 1 }
    await makeDeckSoon()
    await shows('QUEUE_FULL')
    await shoot(page, 'error-busy')
    creation.now = undefined
    await isReady(page)
    await page.getByText(sentenceOf('QUEUE_FULL')).waitFor({ state: 'detached' })
  })

  test('whose response is lost is made once', async () => {
    await openAt('/')
    let lost = 0
    await page.route(/\/presentations$/, async (route) => {
      if (route.request().method() !== 'POST' || lost > 0) return route.fallback()
      lost += 1
      await route.fetch()
      return route.abort('connectionreset')
    })
    const count = async () => (await world.api('/presentations?limit=100')).body.items.length
    const before = await count()
    await makeDeckSoon()
    await isReady(page)
    expect(await count()).toBe(before + 1)
  })

  test.each<Refusal>([
    { code: 'AUTHENTICATION_FAILED', status: 401 },
    { code: 'TOKEN_EXPIRED', status: 401 },
  ])('of a session that has ended ($code) is there again after the sign-in', async (refusal) => {
    await openAt('/')
    const creation = await refuse(page, 'POST', /\/presentations$/)
    await page.getByRole('textbox', { name: 'Summary' }).fill(summary)
    await page.locator('summary', { hasText: 'Options' }).click()
    await page.getByRole('textbox', { name: 'Further wishes' }).fill('For the council')
    creation.now = refusal
    await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
    await page.getByText('Your session has ended. Sign in again to go on.').waitFor()
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await isHome(page)
    expect(await page.getByRole('textbox', { name: 'Summary' }).inputValue()).toBe(summary)
    await page.locator('summary', { hasText: 'Options' }).click()
    const wishes = page.getByRole('textbox', { name: 'Further wishes' })
    expect(await wishes.inputValue()).toBe('For the council')
    await wishes.fill('')
  })

  async function makeDeckSoon() {
    await page.getByRole('textbox', { name: 'Summary' }).fill(summary)
    await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
  }
})

const now = () => ({ world, page, openAt, shows, deck, inReview })
testErrorsOfDecks(now)
testErrorsOfForms(now)
