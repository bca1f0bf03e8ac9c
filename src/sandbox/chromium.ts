// A real browser for tests, on machines that have one (Debian: `apt-get install chromium`), driven
// by Playwright. Each context is a browser profile of its own: cookies, storage, pages.

import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium, type Page } from 'playwright-core'

/** `CHROMIUM_PATH` names another binary. */
const candidates = [process.env['CHROMIUM_PATH'], 'chromium', 'chromium-browser', 'google-chrome']
const binary = candidates.find(
  (name) => name && spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)

/** Without a browser, tests skip themselves with `needsChromium` in their titles. */
export const hasChromium = binary !== undefined
export const needsChromium = 'needs Chromium: apt-get install chromium'

export type { Browser, Page }

export async function openChromium(): Promise<Browser> {
  if (binary === undefined) throw new Error(needsChromium)
  return chromium.launch({
    executablePath: which(binary),
    // Containers have little shared memory; root has no sandbox (Playwright's default).
    args: ['--disable-dev-shm-usage', '--disable-gpu'],
  })
}

function which(name: string): string {
  if (name.includes('/')) return name
  return spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()
}

/** Serves an empty page on a port of its own: an origin without any relation to a gateway. */
export async function openEmptySite() {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><title>empty</title>')
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    /** The same site as a gateway on `localhost`, another origin. */
    origin: `http://localhost:${port}`,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
