// The codes that a user of the page can meet with a deck that exists. Part of errors.browser.ts,
// whose page and gateway it shares.

import { describe, expect, test } from 'vitest'
import type { Page } from '../../sandbox/chromium.ts'
import { isReady, type PageWorld, shoot } from './page-world.ts'
import { everywhere, ofChanges, ofDownloads, ofRuns, refuse, sentenceOf } from './refusals.ts'

export interface ErrorWorld {
  world: PageWorld
  page: Page
  openAt: (path: string) => Promise<void>
  shows: (code: string, where?: ReturnType<Page['locator']>) => Promise<void>
  /** A finished deck. */
  deck: string
  /** One whose outlines wait. */
  inReview: string
}

export function testErrorsOfDecks(now: () => ErrorWorld) {
  describe('a deck', () => {
    test('that cannot be read says why, and is read again by a click', async () => {
      const { page, openAt, shows, deck } = now()
      await openAt('/settings')
      const reading = await refuse(page, 'GET', new RegExp(`/presentations/${deck}$`))
      for (const refusal of everywhere) {
        reading.now = refusal
        await page.evaluate(`history.pushState({}, '', '/decks/${deck}')`)
        await page.evaluate(`dispatchEvent(new PopStateEvent('popstate'))`)
        await shows(refusal.code)
        await shoot(page, 'error-deck')
        await page.getByRole('link', { name: 'Go to your decks' }).click()
      }
      reading.now = everywhere[3]
      await page.goBack()
      await page.getByRole('heading', { name: 'The deck cannot be opened' }).waitFor()
      reading.now = undefined
      await page.getByRole('button', { name: 'Try again' }).click()
      await isReady(page)
    })

    test('that is not there shows a way home (a real refusal)', async () => {
      const { page, openAt } = now()
      await openAt('/decks/3f333df6-90a4-4fda-8dd3-9485d27cee36')
      await page.getByRole('link', { name: 'Go to your decks' }).waitFor()
    })

    test.each(ofRuns)('whose run ended with $code says so (retry: $retryable)', async (end) => {
      const { page, openAt, shows, deck, world } = now()
      const { body } = await world.api(`/presentations/${deck}`)
      await openAt('/settings')
      const error = { ...end, detail: sentenceOf(end.code) }
      const ended = { ...body, status: 'failed', files: [], stage: null, error }
      await page.route(new RegExp(`/presentations/${deck}$`), (route) =>
        route.fulfill({ contentType: 'application/json', body: JSON.stringify(ended) }),
      )
      await page.evaluate(`history.pushState({}, '', '/decks/${deck}')`)
      await page.evaluate(`dispatchEvent(new PopStateEvent('popstate'))`)
      await shows(end.code)
      const again = page.getByRole('button', { name: 'Try again' })
      expect(await again.count()).toBe(end.retryable ? 1 : 0)
    })

    test('refuses changes in the words of the problem; what was typed stays', async () => {
      const { page, openAt, shows, deck } = now()
      await openAt(`/decks/${deck}`)
      await isReady(page)
      const editing = await refuse(page, 'POST', /\/slides\/0\/edit$/)
      await page.getByRole('button', { name: 'Change this slide, number 1' }).click()
      const field = page.getByRole('textbox', { name: /What should change on slide 1/ })
      await field.fill('Say it shorter.')
      for (const refusal of [...everywhere, ...ofChanges]) {
        editing.now = refusal
        await page.getByRole('button', { name: 'Change it' }).click()
        await shows(refusal.code, page.locator('form.edit'))
        expect(await field.inputValue()).toBe('Say it shorter.')
      }
      await page.reload()
      await isReady(page)
      expect(await field.inputValue()).toBe('Say it shorter.')
      await field.press('Escape')

      const renaming = await refuse(page, 'PATCH', /\/presentations\/[^/]+$/)
      renaming.now = { code: 'VALIDATION_FAILED', status: 400 }
      await page.getByRole('button', { name: 'Rename' }).click()
      await page.getByRole('textbox', { name: 'Title' }).fill('Another title')
      await page.keyboard.press('Enter')
      await shows('VALIDATION_FAILED')
      const title = page.getByRole('textbox', { name: 'Title' })
      expect(await title.inputValue()).toBe('Another title')
      await title.press('Escape')
    })

    test('refuses an export, a download and a deletion with a message; the deck stays', async () => {
      const { page, openAt, shows, deck } = now()
      await openAt(`/decks/${deck}`)
      await isReady(page)
      const exporting = await refuse(page, 'POST', /\/exports$/)
      for (const refusal of ofChanges) {
        exporting.now = refusal
        await page.getByRole('button', { name: 'Make a PDF' }).click()
        await shows(refusal.code, page.locator('.toasts'))
        await dismiss(page)
      }
      const downloading = await refuse(page, 'GET', /\/download/)
      for (const refusal of ofDownloads) {
        downloading.now = refusal
        await page.getByRole('button', { name: /Download PPTX/ }).click()
        await shows(refusal.code, page.locator('.toasts'))
        await dismiss(page)
      }
    })

    test('that has changed shows its new state, and the instruction can be sent', async () => {
      const { page, openAt, deck, world } = now()
      await openAt(`/decks/${deck}`)
      await isReady(page)
      await page.getByRole('button', { name: 'Change this slide, number 2' }).click()
      const field = page.getByRole('textbox', { name: /What should change on slide 2/ })
      await field.fill('Say it shorter.')
      const started = await world.api(`/presentations/${deck}/slides/0/edit`, {
        ...{ method: 'POST', body: { instruction: 'Say it louder.' } },
      })
      expect(started.status).toBe(202)
      await world.api(`/presentations/${deck}?wait=60`)
      await page.getByRole('button', { name: 'Change it' }).click()
      await page
        .locator('form.edit')
        .getByText(/The deck has changed/)
        .waitFor()
      await page.getByText('The files show an earlier version.').waitFor()
      expect(await field.inputValue()).toBe('Say it shorter.')
      await page.getByRole('button', { name: 'Change it' }).click()
      await expect
        .poll(async () => (await world.api(`/presentations/${deck}`)).body.revision)
        .toBe(3)
      await field.waitFor({ state: 'detached' })
    })
  })

  test('a change that fails gives its instruction back (a real failure)', async () => {
    const { page, openAt, deck, world } = now()
    await openAt(`/decks/${deck}`)
    await isReady(page)
    world.sandbox.standIn?.faults.inject('chat:422')
    await page.getByRole('button', { name: 'Change this slide, number 3' }).click()
    const field = page.getByRole('textbox', { name: /What should change on slide 3/ })
    await field.fill('Add a joke.')
    await page.getByRole('button', { name: 'Change it' }).click()
    await page
      .getByText(/The presentation generator rejected the request/)
      .first()
      .waitFor()
    await field.waitFor()
    expect(await field.inputValue()).toBe('Add a joke.')
    await page.getByRole('button', { name: 'Change it' }).click()
    await field.waitFor({ state: 'detached' })
    await isReady(page)
  })
}

async function dismiss(page: Page) {
  for (const close of await page.getByRole('button', { name: 'Dismiss' }).all()) await close.click()
}
