// `npm run test:page`: the page in a real browser. Without one the command fails and says so.

import { defineConfig } from 'vitest/config'
import { hasChromium, needsChromium } from '../../sandbox/chromium.ts'

if (!hasChromium) throw new Error(`The tests of the page need a browser. ${needsChromium}`)

const timeoutMs = 180_000

export default defineConfig({
  test: {
    include: ['src/journeys/page/*.browser.ts'],
    globalSetup: 'src/sandbox/global-setup.ts',
    pool: 'forks',
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    expect: { poll: { timeout: 30_000, interval: 50 } },
    watch: false,
    reporters: ['default'],
  },
})
