// Many users who open their editors at the same moment, on two replicas, with the bundled
// configuration of Presenton's nginx. Where it limits logins they queue: user-accounts.test.ts in
// presenton/ has 50 with a limit.

import { expect, onTestFinished, test } from 'vitest'
import { makerCredentials, makerEnv, signInToMaker } from '../journeys/maker-browser.ts'
import { openWorld } from '../journeys/world.ts'

test('50 users open editors at once, and no login is refused', async () => {
  const world = await openWorld({
    ...{ shape: 'B1', credentials: makerCredentials, env: makerEnv, replicas: 2 },
    loginLimit: null,
  })
  onTestFinished(() => world.close())
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const browsers = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const user = await world.createUser()
      return signInToMaker(user, () => world.gateways[index % 2]?.makerUrl ?? '')
    }),
  )
  // Each opens the page, and its parts before the page is there.
  const opened = await Promise.all(
    browsers.flatMap((browser) => [
      browser.open('/dashboard'),
      browser.fetch('/api/v1/ppt/themes/all'),
    ]),
  )
  const pages = await Promise.all(opened.map((response) => response.text()))
  expect(new Set(opened.map(({ status }) => status))).toEqual(new Set([200]))
  const accounts = pages.flatMap((page) => /for (u-[\da-f]{40})/.exec(page)?.[1] ?? [])
  expect(new Set(accounts).size).toBe(50)
  const { journal, users } = world.presenton
  expect(users).toHaveLength(50)
  const logins = journal.filter(
    ({ operation, method }) => operation === 'login' && method === 'POST',
  )
  expect(new Set(logins.map(({ status }) => status))).toEqual(new Set([200]))
  // One for each user, and at most one of each replica for the administrator.
  expect(logins.length).toBeGreaterThanOrEqual(51)
  expect(logins.length).toBeLessThanOrEqual(52)
  // As if something leaked, which operators would see in their logs.
  expect(warnings).toEqual([])
})
