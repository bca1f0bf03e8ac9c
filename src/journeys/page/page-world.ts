// A browser with the page of a sandbox, and what a person does on it. A violation of the content
// security policy or an error of the page's program fails the test.

import { appendFileSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import type { BrowserContextOptions } from 'playwright-core'
import { expect } from 'vitest'
import { openChromium, type Page } from '../../sandbox/chromium.ts'
import { openSandbox, sandboxUser } from '../../sandbox/sandbox.ts'

const screenshots = fileURLToPath(new URL('../../../.sandbox/screenshots/', import.meta.url))

export const summary =
  'We looked back at the first quarter. Answers got faster, from nine hours to four. Half of all questions were about invoices. We agreed to write better invoices before we hire more people. Anna draws a first version by Friday.'

export type PageWorld = Awaited<ReturnType<typeof openPageWorld>>

export async function openPageWorld(env: Record<string, string> = {}, { maker = false } = {}) {
  mkdirSync(screenshots, { recursive: true })
  const sandbox = await openSandbox({ maker, env: { ...process.env, PORT: '0', ...env } })
  const browser = await openChromium()
  const origin = sandbox.url.replace('127.0.0.1', 'localhost')
  let errors: string[] = []
  let token: string | undefined

  function watch(page: Page): Page {
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(`${message.text()} ${message.location().url}`)
    })
    page.on('pageerror', (error) => errors.push(error.message))
    return page
  }

  async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })
    // A browser on a busy machine takes its time.
    context.setDefaultTimeout(Number(process.env['PAGE_TIMEOUT'] ?? 90_000))
    const page = watch(await context.newPage())
    await page.goto(`${origin}/`)
    return page
  }

  return {
    sandbox,
    origin,
    makerUrl: sandbox.makerUrl ?? '',
    openPage,
    watch,

    async signIn(options?: BrowserContextOptions): Promise<Page> {
      const page = await openPage(options)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      await isHome(page)
      return page
    },

    /** The API as the person who signs in. */
    async api(path: string, { method = 'GET', body }: { method?: string; body?: unknown } = {}) {
      token ??= await sandbox.sign({ sub: sandboxUser, expiresInSeconds: 3600 })
      const response = await fetch(`${origin}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      // biome-ignore lint/suspicious/noExplicitAny: tests look at any of it
      return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as any) }
    },

    /** Another tab of the same person. */
    openTab: async (page: Page): Promise<Page> => watch(await page.context().newPage()),

    /** Errors in the console that the test means to cause. */
    expectErrors(pattern: RegExp) {
      errors = errors.filter((text) => !pattern.test(text))
    },

    async closePages() {
      for (const context of browser.contexts()) await context.close()
      // The first question of a visitor who is not signed in is refused.
      const unexpected = errors.filter((text) => !text.includes('401 (Unauthorized)'))
      errors = []
      expect(unexpected).toEqual([])
    },

    async close() {
      await browser.close()
      await sandbox.close()
    },
  }
}

export const shoot = (page: Page, name: string) =>
  page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true })

/** Beside the screenshots. */
export const keepFigure = (line: string) =>
  appendFileSync(`${screenshots}figures.txt`, `${new Date().toISOString()} ${line}\n`)

export async function expectAccessible(page: Page) {
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
}

export interface MadeDeck {
  title?: string
  review?: boolean
}

export async function makeDeck(page: Page, text: string, { title, review }: MadeDeck = {}) {
  await page.getByRole('textbox', { name: 'Summary' }).fill(text)
  if (title !== undefined || review) await page.locator('summary', { hasText: 'Options' }).click()
  if (title !== undefined) await page.getByRole('textbox', { name: 'Title' }).fill(title)
  if (review) await page.getByRole('checkbox', { name: /review the outlines/ }).check()
  await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
  await page.waitForURL(/\/decks\/[0-9a-f-]{36}$/)
}

/** Whether or not there are decks. */
export const isHome = (page: Page) =>
  page.getByRole('heading', { name: /^Make (a|your first) deck$/ }).waitFor()

export const isReady = (page: Page) =>
  page
    .getByRole('button', { name: /Download PPTX/ })
    .first()
    .waitFor()
