// Files on the maker's origin in a real browser: a drawing is shown, and never runs.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Browser, openChromium } from '../../sandbox/chromium.ts'
import { makerCredentials, makerEnv } from '../maker-browser.ts'
import { openWorld, type World } from '../world.ts'

let world: World
let browser: Browser
beforeAll(async () => {
  browser = await openChromium()
  world = await openWorld({ shape: 'B1', credentials: makerCredentials, env: makerEnv })
})
afterAll(async () => {
  await browser.close()
  await world.close()
})

test('a drawing with a script is shown in pages, and runs nothing as a document', async () => {
  const user = await world.createUser()
  const context = await browser.newContext()
  context.setDefaultTimeout(90_000)
  const page = await context.newPage()
  const { body } = await user.api('/maker', { method: 'POST', body: {} })
  await page.goto(body.url)
  const origin = new URL(page.url()).origin
  const account = world.presenton.users[0]
  const path = `/app_data/images/users/${account?.id}/drawing.svg`
  const script =
    'document.documentElement.setAttribute("class", "ran"); fetch("/api/v1/auth/logout", { method: "POST" })'
  world.presenton.images.set(path, {
    ...{ id: crypto.randomUUID(), userId: account?.id ?? '', isUploaded: true },
    ...{ createdAt: new Date().toISOString(), type: 'image/svg+xml' },
    bytes: Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" onload='${script}'><script>${script}</script><rect width="40" height="20"/></svg>`,
    ),
  })
  const width = await page.evaluate(
    `(async () => {
      const image = new Image()
      image.src = ${JSON.stringify(path)}
      await image.decode()
      return image.naturalWidth
    })()`,
  )
  expect(width).toBe(40)

  const opened = await context.newPage()
  const blocked: string[] = []
  opened.on('console', (message) => blocked.push(message.text()))
  const response = await opened.goto(`${origin}${path}`)
  expect(response?.status()).toBe(200)
  expect(await opened.locator('svg').getAttribute('class')).toBeNull()
  expect(blocked.join('\n')).toMatch(/script/i)
  // The session is still there.
  expect((await page.goto(`${origin}/dashboard`))?.status()).toBe(200)
})
