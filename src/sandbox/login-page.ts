// The sandbox's login page, for AUTH_LOGIN_URL: asks for nothing, and returns to the gateway's page
// with a token, or to the slide maker with a ticket. It exists in the sandbox only.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Sign } from './tokens.ts'

const tokenHours = 12

export interface LoginPageOptions {
  sign: Sign
  sub: string
  /** Known once the gateway listens. */
  gatewayUrl: () => string
}

export async function openLoginPage({ sign, sub, gatewayUrl }: LoginPageOptions) {
  const signToken = () => sign({ sub, expiresInSeconds: tokenHours * 3600 })

  const server = createServer((request, response) => {
    void respond(request.url ?? '/').then(
      (location) => response.writeHead(location ? 303 : 400, location ? { location } : {}).end(),
      () => response.writeHead(500).end(),
    )
  })

  async function respond(url: string): Promise<string | undefined> {
    const { pathname, searchParams } = new URL(url, 'http://localhost')
    const returnTo = searchParams.get('return_to') ?? ''
    if (pathname === '/maker') return linkToMaker(returnTo)
    const state = searchParams.get('state')
    if (state === null || !isLoopback(returnTo)) return undefined
    const token = await signToken()
    return `${returnTo}#${new URLSearchParams({ token, state })}`
  }

  /** As an application does: the gateway decides where its ticket may lead. */
  async function linkToMaker(returnTo: string): Promise<string | undefined> {
    const response = await fetch(`${gatewayUrl()}/api/v1/maker`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await signToken()}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ return_to: returnTo }),
    })
    return response.ok ? ((await response.json()) as { url: string }).url : undefined
  }

  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://localhost:${port}/`,
    /** For MAKER_SIGN_IN_URL. */
    makerUrl: `http://localhost:${port}/maker?return_to={return_to}`,
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
