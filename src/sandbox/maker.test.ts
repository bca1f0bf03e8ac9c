// The sandbox with its slide maker: the login page leads into it, and nowhere else.

import { expect, onTestFinished, test } from 'vitest'
import { openSandbox } from './sandbox.ts'

const navigation = {
  accept: 'text/html',
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
}

async function open(url: string, cookie?: string) {
  const headers = { ...navigation, ...(cookie && { cookie }) }
  const response = await fetch(url, { headers, redirect: 'manual' })
  const [setCookie = ''] = response.headers.getSetCookie()
  return {
    status: response.status,
    location: response.headers.get('location') ?? '',
    cookie: setCookie.split(';')[0] ?? '',
    text: await response.text(),
  }
}

test('signs a visitor of the slide maker in, who sees the list of decks', async () => {
  const sandbox = await openSandbox({ maker: true })
  onTestFinished(() => sandbox.close())
  const asked = await open(`${sandbox.makerUrl}/dashboard`)
  expect(asked.status).toBe(303)
  const loggedIn = await open(asked.location)
  expect(loggedIn.location.startsWith(`${sandbox.makerUrl}/_enter?ticket=`)).toBe(true)
  const entered = await open(loggedIn.location)
  expect(entered).toMatchObject({ status: 303, location: '/dashboard' })
  const shown = await open(`${sandbox.makerUrl}/dashboard`, entered.cookie)
  expect(shown.status).toBe(200)
  expect(shown.text).toContain('Stand-in for Presenton')

  const elsewhere = asked.location.replace(/return_to=.*/, 'return_to=https://evil.example/')
  expect(await open(elsewhere)).toMatchObject({ status: 400, location: '' })
})

test('has no slide maker by default', async () => {
  const sandbox = await openSandbox()
  onTestFinished(() => sandbox.close())
  expect(sandbox.makerUrl).toBeUndefined()
})
