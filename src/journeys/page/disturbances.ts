// What happens to the tabs of people: they sleep, lose their network, and lie in the back/forward
// cache.

import type { CDPSession, Page } from 'playwright-core'

export interface Disturbance {
  begin: (page: Page) => Promise<void>
  end: (page: Page) => Promise<void>
}

const sessions = new WeakMap<Page, Promise<CDPSession>>()
function devTools(page: Page): Promise<CDPSession> {
  const known = sessions.get(page) ?? page.context().newCDPSession(page)
  sessions.set(page, known)
  return known
}

/** Without a rate the network is as fast as it can be. */
export async function setNetwork(
  page: Page,
  {
    offline = false,
    uploadBytesPerSecond = -1,
  }: { offline?: boolean; uploadBytesPerSecond?: number },
) {
  const session = await devTools(page)
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', {
    ...{ offline, latency: 0, downloadThroughput: -1, uploadThroughput: uploadBytesPerSecond },
  })
}

async function setLifecycle(page: Page, state: 'frozen' | 'active') {
  await (await devTools(page)).send('Page.setWebLifecycleState', { state })
}

export const disturbances = {
  /** For comparison: the tab only has siblings. */
  nothing: { begin: async () => undefined, end: async () => undefined },
  /** The browser stops the tab's tasks, as it does with tabs in the background. */
  sleep: {
    begin: (page) => setLifecycle(page, 'frozen'),
    async end(page) {
      await setLifecycle(page, 'active')
      // The developer tools leave it out.
      await page.evaluate(`document.dispatchEvent(new Event('resume'))`)
    },
  },
  offline: {
    begin: (page) => setNetwork(page, { offline: true }),
    end: (page) => setNetwork(page, {}),
  },
  /**
   * What a page sees of it: it is told, stops, goes on, and is told. Playwright loses a page that
   * the browser itself restores.
   */
  'back/forward cache': {
    async begin(page) {
      await page.evaluate(`dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))`)
      await setLifecycle(page, 'frozen')
    },
    async end(page) {
      await setLifecycle(page, 'active')
      await page.evaluate(`dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`)
    },
  },
} satisfies Record<string, Disturbance>

export type DisturbanceName = keyof typeof disturbances
