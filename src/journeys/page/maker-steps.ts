// What a person does in the slide maker, over the stand-in's interface.

import { expect } from 'vitest'
import type { Page } from '../../sandbox/chromium.ts'
import { isReady, makeDeck, type PageWorld, summary } from './page-world.ts'

export type MakerSteps = ReturnType<typeof createMakerSteps>

export function createMakerSteps(world: PageWorld) {
  /** Through the login page of the sandbox, which knows one user. */
  async function openDashboard(): Promise<Page> {
    const page = await world.openPage()
    await page.goto(`${world.makerUrl}/dashboard`)
    await page.getByRole('heading', { name: 'Presentations' }).waitFor()
    return page
  }

  return {
    openDashboard,

    /** Makes a deck on our page, and opens it in the maker in another tab. */
    async openDeck() {
      const page = await world.signIn()
      await makeDeck(page, summary)
      await isReady(page)
      const [opened] = await Promise.all([
        page.context().waitForEvent('page'),
        page.getByRole('button', { name: 'Open in the slide maker' }).click(),
      ])
      const maker = world.watch(opened)
      await maker.getByRole('list', { name: 'Slides' }).getByRole('button').first().waitFor()
      expect(maker.url()).toMatch(/\/presentation\?id=[0-9a-f-]{36}$/)
      return { page, maker }
    },

    /** From the list up to outlines that wait for approval. */
    async startDeck(maker: Page, text = summary) {
      await maker.getByRole('main').getByRole('link', { name: 'New presentation' }).click()
      await maker.getByLabel('Text').fill(text)
      await maker.getByRole('button', { name: 'Get started' }).click()
      await maker.getByRole('group', { name: 'Templates' }).getByRole('button').first().click()
      await maker.getByRole('textbox', { name: 'Outline 1' }).waitFor()
    },

    /** The slides are made, and have been saved once more. */
    async isMade(maker: Page) {
      await maker.waitForURL((url) => !url.searchParams.has('stream'))
      await maker
        .getByRole('button', { name: 'Add slide' })
        .and(maker.locator(':enabled'))
        .waitFor()
    },

    /** Does something that saves, and waits until it has been. */
    async saved(maker: Page, path: string, act: () => Promise<unknown>, status = 200) {
      const [response] = await Promise.all([
        maker.waitForResponse(
          (one) =>
            one.url().endsWith(`/presentation/${path}`) && one.request().method() === 'PATCH',
        ),
        act(),
      ])
      expect(response.status()).toBe(status)
    },
  }
}
