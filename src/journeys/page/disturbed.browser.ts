// A tab that sleeps, loses its network, comes back from the back/forward cache, and has six
// siblings on HTTP/1.1: in each stage it ends with the file. In every stage, one tab comes back
// while the stage still lasts, and one when the run has ended without it.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Page } from '../../sandbox/chromium.ts'
import type { GatePoint } from '../../sandbox/presenton/gates.ts'
import { type DisturbanceName, disturbances, setNetwork } from './disturbances.ts'
import { isHome, isReady, openPageWorld, type PageWorld, summary } from './page-world.ts'

let world: PageWorld
let tabs: { page: Page; name: DisturbanceName; comesBack: 'during' | 'after' }[]
beforeAll(async () => {
  world = await openPageWorld(
    // One run at a time, so that another one can make a deck wait.
    { RATE_LIMIT_PER_MINUTE: '100000', MAX_RUNNING: '1', MAX_STREAMS_PER_USER: '100' },
  )
  const first = await world.signIn()
  tabs = [{ page: first, name: 'nothing', comesBack: 'during' }]
  for (const name of ['sleep', 'offline', 'back/forward cache'] as const) {
    for (const comesBack of ['during', 'after'] as const) {
      const page = await world.openTab(first)
      await page.goto(`${world.origin}/`)
      tabs.push({ page, name, comesBack })
    }
  }
})
afterAll(async () => {
  // What a tab asked for without a network.
  world.expectErrors(/net::ERR_/)
  await world.closePages()
  await world.close()
})

interface Stage {
  name: string
  brief?: object
  hold?: GatePoint
  /** How many may pass the gate before. */
  allow?: number
  /** What shows that the page is at this stage. */
  shows: string | RegExp
  /** After the deck was made, or before. Returns its id. */
  begin?: () => Promise<string>
  /** Ends the stage. */
  end?: (id: string) => Promise<unknown>
  /** What every tab must show in the end, beside the file. */
  endsWith?: string
  /** What a tab shows only after it has slept, since there is no message of it. */
  isFoundAtWaking?: string
}

const stages: Stage[] = [
  {
    name: 'queued',
    hold: 'create',
    shows: /Starts in a moment|Number \d+ in line/,
    async begin() {
      await make()
      await gates().arrived('create')
      return make()
    },
  },
  { name: 'outlines', hold: 'outlines:chunk', allow: 4, shows: 'Outlines, as they are written' },
  {
    name: 'waiting for review',
    brief: { review_outlines: true },
    shows: 'The outlines wait for your review.',
    end: (id) => world.api(`/presentations/${id}/outlines`, { method: 'PUT', body: {} }),
  },
  { name: 'slides', hold: 'slides:slide', allow: 2, shows: 'Progress of the deck' },
  { name: 'export', hold: 'export:work', shows: 'Progress of the deck' },
  {
    name: 'finished',
    begin: makeFinished,
    shows: 'Download PPTX',
    end: (id) =>
      world.api(`/presentations/${id}`, { method: 'PATCH', body: { title: 'Renamed elsewhere' } }),
    isFoundAtWaking: 'Renamed elsewhere',
  },
  {
    name: 'edit under way',
    hold: 'chat:work',
    shows: 'Progress of the deck',
    async begin() {
      const id = await makeFinished()
      const body = { instruction: 'Say it shorter.' }
      await world.api(`/presentations/${id}/slides/0/edit`, { method: 'POST', body })
      return id
    },
    endsWith: 'The files show an earlier version.',
  },
]

const gates = () => {
  if (!world.sandbox.standIn) throw new Error('the stages are held in the stand-in')
  return world.sandbox.standIn.gates
}
const isAt = async (id: string, status: string) => {
  const path = `/presentations/${id}?wait=25`
  await expect
    .poll(async () => (await world.api(path)).body.status, { timeout: 60_000 })
    .toBe(status)
}
async function make(brief: object = {}): Promise<string> {
  const body = { content: summary, n_slides: 4, ...brief }
  return (await world.api('/presentations', { method: 'POST', body })).body.id
}
async function makeFinished() {
  const id = await make()
  await isAt(id, 'completed')
  return id
}

/** Within the page, as a link does it. */
async function show(page: Page, path: string) {
  await page.evaluate(`history.pushState({}, '', ${JSON.stringify(path)})`)
  await page.evaluate(`dispatchEvent(new PopStateEvent('popstate'))`)
}

const each = (run: (tab: (typeof tabs)[number]) => Promise<unknown>) => Promise.all(tabs.map(run))

test.each(stages)('seven tabs end with the file: $name', async (stage) => {
  if (stage.hold) gates().hold(stage.hold)
  if (stage.hold && stage.allow) gates().release(stage.hold, stage.allow)
  const id = await (stage.begin ?? (() => make(stage.brief)))()
  if (stage.hold && stage.name !== 'queued')
    await gates().arrived(stage.hold, (stage.allow ?? 0) + 1)
  await each(async ({ page }) => {
    await show(page, `/decks/${id}`)
    const byText = page.getByText(stage.shows)
    await byText
      .or(page.getByRole('progressbar', { name: stage.shows }))
      .first()
      .waitFor()
  })

  await each(({ page, name }) => disturbances[name].begin(page))
  await each(async ({ page, name, comesBack }) => {
    if (comesBack === 'during') await disturbances[name].end(page)
  })
  gates().releaseAll()
  await stage.end?.(id)
  await isAt(id, 'completed')
  await each(async ({ page, name, comesBack }) => {
    if (comesBack === 'after') await disturbances[name].end(page)
  })

  await each(async ({ page, comesBack }) => {
    await isReady(page)
    const found = comesBack === 'after' ? stage.isFoundAtWaking : undefined
    const text = found ?? stage.endsWith ?? 'Ready'
    await page.getByText(text).first().waitFor()
    await page.getByRole('article', { name: 'Slide 4' }).waitFor()
    // What was watched to its end stays, and says so.
    await page.locator('progress:not([value="1"])').waitFor({ state: 'detached' })
  })
})

describe.each(['sleep', 'offline', 'back/forward cache'] as const)('%s', (name) => {
  const { begin, end } = disturbances[name]
  const tab = () => tabs.find((each) => each.name === name)?.page as Page

  test('while a deck is composed: what was typed is sent, and ends with the file', async () => {
    const page = tab()
    await show(page, '/')
    await isHome(page)
    await page.getByRole('textbox', { name: 'Summary' }).fill(summary)
    await begin(page)
    // Without a network the button waits for it.
    if (name === 'offline') {
      await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
      await page.getByText('No connection. What you typed stays here').waitFor()
    }
    await end(page)
    expect(await page.getByRole('textbox', { name: 'Summary' }).inputValue()).toBe(summary)
    if (name !== 'offline') await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
    await isReady(page)
  })

  test('while a document is sent: it arrives, and ends with the file', async () => {
    const page = tab()
    await show(page, '/')
    await isHome(page)
    await setNetwork(page, { uploadBytesPerSecond: 20_000 })
    const buffer = Buffer.from(`${summary}\n`.repeat(1_000))
    await page
      .locator('input[type=file]')
      .setInputFiles([{ name: 'Notes.txt', mimeType: 'text/plain', buffer }])
    await page.getByRole('progressbar', { name: 'Upload of Notes.txt' }).waitFor()
    await begin(page)
    await end(page)
    await setNetwork(page, {})
    await page.getByRole('list', { name: 'Documents' }).getByText(/ready/).waitFor()
    await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
    await isReady(page)
  })
})
