// The sandbox's login page, for AUTH_LOGIN_URL: asks for nothing, and returns to the gateway's page
// with a token. It exists in the sandbox only.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Sign } from './tokens.ts'

const tokenHours = 12

export async function openLoginPage({ sign, sub }: { sign: Sign; sub: string }) {
  const server = createServer((request, response) => {
    void respond(request.url ?? '/').then(
      (location) => response.writeHead(location ? 303 : 400, location ? { location } : {}).end(),
      () => response.writeHead(500).end(),
    )
  })

  async function respond(url: string): Promise<string | undefined> {
    const { searchParams } = new URL(url, 'http://localhost')
    const returnTo = searchParams.get('return_to') ?? ''
    const state = searchParams.get('state')
    if (state === null || !isLoopback(returnTo)) return undefined
    const token = await sign({ sub, expiresInSeconds: tokenHours * 3600 })
    return `${returnTo}#${new URLSearchParams({ token, state })}`
  }

  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://localhost:${port}/`,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Any site may link here, so a token only goes to pages of this machine. */
function isLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, hash } = new URL(url)
  return protocol === 'http:' && hash === '' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname)
}
