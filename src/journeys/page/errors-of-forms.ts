// The codes that a user of the page can meet in the review of outlines, with documents, in the
// settings and in streams. Part of errors.browser.ts, whose page and gateway it shares.

import { expect, test } from 'vitest'
import type { ErrorWorld } from './errors-of-decks.ts'
import { isReady, summary } from './page-world.ts'
import { everywhere, ofUploads, refuse } from './refusals.ts'

export function testErrorsOfForms(now: () => ErrorWorld) {
  test('outlines that cannot be approved stay as they were written, also after a reload', async () => {
    const { page, openAt, shows, inReview } = now()
    await openAt(`/decks/${inReview}/outlines`)
    const approving = await refuse(page, 'PUT', /\/outlines$/)
    const first = page.getByRole('textbox', { name: 'Outline 1' })
    await first.fill('# Where we stand\nAnswers are faster.')
    const others = [
      { code: 'VALIDATION_FAILED', status: 400 },
      { code: 'QUOTA_EXHAUSTED', status: 402 },
      { code: 'CONFLICT', status: 409 },
    ]
    for (const refusal of [...everywhere, ...others]) {
      approving.now = refusal
      await page.getByRole('button', { name: 'Approve and make the slides' }).click()
      await shows(refusal.code)
      expect(await first.inputValue()).toContain('Where we stand')
    }
    page.once('dialog', (dialog) => void dialog.accept())
    await page.reload()
    await page.getByText('Your changes from before are here again.').waitFor()
    expect(await first.inputValue()).toContain('Where we stand')
    approving.now = undefined
    await page.getByRole('button', { name: 'Approve and make the slides' }).click()
    await isReady(page)
    await page.getByText('Where we stand').first().waitFor()
  })

  test('documents that are refused say why, one by one, and can be sent again', async () => {
    const { page, openAt, shows } = now()
    await openAt('/')
    const uploading = await refuse(page, 'POST', /\/sources$/)
    const buffer = Buffer.from(summary)
    const list = page.getByRole('list', { name: 'Documents' })
    for (const refusal of ofUploads) {
      uploading.now = refusal
      await page
        .locator('input[type=file]')
        .setInputFiles([{ name: 'Notes.txt', mimeType: 'text/plain', buffer }])
      await shows(refusal.code, list)
      uploading.now = undefined
      await list.getByRole('button', { name: 'Try again' }).click()
      await list.getByText(/ready/).waitFor()
      await page.getByRole('button', { name: 'Remove Notes.txt' }).click()
    }
  })

  test('settings: a webhook that is refused stays in its field; what cannot be read says so', async () => {
    const { page, openAt, shows } = now()
    await openAt('/settings')
    await page.getByRole('textbox', { name: 'New webhook' }).fill('http://10.0.0.1/hook')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.locator('#webhook-trouble', { hasText: /\w/ }).waitFor()
    expect(await page.locator('#webhook-trouble').textContent()).toMatch(/https|public/)
    const adding = await refuse(page, 'POST', /\/webhooks$/)
    adding.now = { code: 'QUOTA_EXHAUSTED', status: 402 }
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await shows('QUOTA_EXHAUSTED')
    const url = page.getByRole('textbox', { name: 'New webhook' })
    expect(await url.inputValue()).toBe('http://10.0.0.1/hook')
    await url.fill('')
    const usage = await refuse(page, 'GET', /\/usage$/)
    await page.getByRole('link', { name: 'Decks' }).click()
    usage.now = everywhere[3]
    await page.getByRole('link', { name: 'Settings' }).click()
    await shows('INTERNAL_ERROR')
    usage.now = undefined
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('Decks in an hour').waitFor()
  })

  test.each(['TOO_MANY_STREAMS', 'TOO_MANY_CONNECTIONS'])(
    'a deck ends with its file where streams answer %s',
    async (code) => {
      const { page, openAt } = now()
      await openAt('/')
      const streams = await refuse(page, 'GET', /\/(events|realtime\/sse\/.*)$/)
      streams.now = { code, status: 429, retryAfter: 1 }
      await page.getByRole('textbox', { name: 'Summary' }).fill(summary)
      await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
      await isReady(page)
      expect(streams.count).toBeGreaterThan(0)
    },
  )
}
