// How quick and how calm the page is. Part of page.browser.ts, whose gateway it shares. A busy
// machine makes anything slow, so what counts is the best of a few tries.

import { expect, test } from 'vitest'
import type { Page } from '../../sandbox/chromium.ts'
import { isReady, keepFigure, type PageWorld, summary } from './page-world.ts'

const tries = 5

/** Collects what the browser measures, from the first moment of each document. */
const observe = `
  window.measured = { shifts: [], longTasks: [] }
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) {
      if (!hadRecentInput) measured.shifts.push(value)
    }
  }).observe({ type: 'layout-shift', buffered: true })
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) measured.longTasks.push(duration)
  }).observe({ type: 'longtask' })`

const forget = (page: Page) => page.evaluate('measured.shifts = []; measured.longTasks = []')
const read = (page: Page, code: string) => page.evaluate(code) as Promise<number>
const sumOfShifts = 'measured.shifts.reduce((sum, value) => sum + value, 0)'

async function best(measure: () => Promise<number>, target: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let n = 0; n < tries && least > target; n += 1) least = Math.min(least, await measure())
  return least
}

/** Event after event of a run at its slides, all in one response. */
function manyEvents(count: number): string {
  const stage = { type: 'stage', stage: 'slides', attempt: 1, progress: 0.4, run: 1 }
  const lines = [stage, ...Array.from({ length: count - 1 }, (_, index) => eventOf(index))]
  return lines.map((data, index) => `id: ${index + 1}\ndata: ${JSON.stringify(data)}\n\n`).join('')
}

function eventOf(index: number): object {
  if (index % 2 === 0) return { type: 'chunk', chunk: ',', run: 1, stage: 'slides' }
  const points = ['One', 'Two', 'Three'].map((title) => ({ title, description: summary }))
  const slide = { content: { title: `Event ${index}`, points } }
  const position = Math.floor(index / 2) % 20
  const chunk = JSON.stringify(slide)
  return { type: 'chunk', chunk, run: 1, stage: 'slides', slide_index: position }
}

export function testSpeed(world: () => PageWorld) {
  test('the first words stand within a second on a 4G network', async () => {
    const page = await world().openPage()
    const devTools = await page.context().newCDPSession(page)
    await devTools.send('Network.enable')
    await devTools.send('Network.setCacheDisabled', { cacheDisabled: true })
    const bytesPerSecond = 9e6 / 8
    await devTools.send('Network.emulateNetworkConditions', {
      ...{ offline: false, latency: 60 },
      ...{ downloadThroughput: bytesPerSecond, uploadThroughput: bytesPerSecond },
    })
    const paintMs = await best(async () => {
      await page.reload()
      await page.getByRole('heading').first().waitFor()
      return read(page, `performance.getEntriesByName('first-contentful-paint')[0].startTime`)
    }, 1_000)
    keepFigure(`first contentful paint: ${Math.round(paintMs)} ms`)
    expect(paintMs).toBeLessThan(1_000)
  })

  test('nothing moves while slides come in, nor when the deck is ready', async () => {
    const page = await world().signIn()
    await page.context().addInitScript({ content: observe })
    await page.reload()
    const gates = world().sandbox.standIn?.gates
    gates?.hold('slides:slide')
    await page.getByRole('textbox', { name: 'Summary' }).fill(summary)
    await page.getByRole('button', { name: /^Make \d+ slides/ }).click()
    await gates?.arrived('slides:slide')
    await page.getByRole('progressbar').first().waitFor()
    await page.locator('.slide-empty').first().waitFor()
    await forget(page)
    for (let slide = 1; slide <= 8; slide += 1) {
      gates?.release('slides:slide', 1)
      await page.getByRole('article', { name: `Slide ${slide}`, exact: true }).waitFor()
    }
    const whileComing = await read(page, sumOfShifts)
    await forget(page)
    gates?.releaseAll()
    await isReady(page)
    await page.getByRole('button', { name: 'Change this slide, number 8' }).waitFor()
    const whenReady = await read(page, sumOfShifts)
    keepFigure(`layout shift: ${whileComing} while slides come in, ${whenReady} when ready`)
    // A figure that gets wider by a digit is no movement. One row of slides would be 0.05 or more.
    expect(whileComing).toBeLessThan(0.001)
    // Up to this a browser calls it good: a badge and buttons have other texts then.
    expect(whenReady).toBeLessThan(0.1)
  })

  test('a thousand events at once keep no task longer than 50 ms', async () => {
    const page = await world().signIn()
    await page.context().addInitScript({ content: observe })
    const gates = world().sandbox.standIn?.gates
    gates?.hold('slides:slide')
    const body = { content: summary, n_slides: 20 }
    const { id } = (await world().api('/presentations', { method: 'POST', body })).body
    await gates?.arrived('slides:slide')
    const headers = { 'content-type': 'text/event-stream' }
    await page.route(/\/events$/, async (route) => {
      // Once: the page then has the rest from the gateway.
      if ('last-event-id' in route.request().headers()) return route.fallback()
      // What the start of the page takes is not meant.
      await forget(page)
      return route.fulfill({ headers, body: manyEvents(1_000) })
    })
    const longestMs = await best(async () => {
      await page.goto(`${world().origin}/decks/${id}`)
      await page.getByText('Event 997').waitFor()
      return read(page, 'Math.max(0, ...measured.longTasks)')
    }, 50)
    keepFigure(`longest task of 1,000 events: ${Math.round(longestMs)} ms`)
    expect(longestMs).toBeLessThanOrEqual(50)
    gates?.releaseAll()
    await world().api(`/presentations/${id}/cancel`, { method: 'POST' })
  })
}
