// A browser at the maker's origin, as far as the journeys need one: a cookie jar, and the headers
// that browsers add to requests by themselves.

import { expect } from 'vitest'
import type { User } from './user.ts'

export type MakerBrowser = ReturnType<typeof createMakerBrowser>

export interface MakerRequest {
  method?: string
  /** A string is sent as it is, anything else as JSON. */
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
}

/** Of a gateway with a maker, on any free port. */
export const makerEnv = {
  MAKER_PORT: '0',
  PRESENTON_ACCOUNTS: 'per-user',
  PRESENTON_USERNAME: 'admin',
  PRESENTON_PASSWORD: 'password of the administrator',
  PRESENTON_ACCOUNT_SECRET: 'a secret for the accounts of users',
}

/** Those of the stand-in's administrator; with them it has users. */
export const makerCredentials = {
  username: makerEnv.PRESENTON_USERNAME,
  password: makerEnv.PRESENTON_PASSWORD,
}

/** A document that a person opens by a link of another site. */
export const navigation = {
  accept: 'text/html',
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'cross-site',
}

export function createMakerBrowser(makerUrl: () => string) {
  const cookies = new Map<string, string>()

  async function send(target: string, request: MakerRequest = {}) {
    const { method = 'GET', body, headers = {}, signal } = request
    const url = target.startsWith('http') ? target : `${makerUrl()}${target}`
    const isText = typeof body === 'string' || body instanceof FormData
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      ...(signal && { signal }),
      headers: {
        ...(body !== undefined && !isText && { 'content-type': 'application/json' }),
        ...(cookie !== '' && { cookie }),
        ...headers,
      },
      ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
    })
    for (const line of response.headers.getSetCookie()) keep(line)
    return response
  }

  function keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (value === '') cookies.delete(name)
    else cookies.set(name, value)
  }

  return {
    cookies,
    /** Opens a document by a link from elsewhere. Redirects are not followed. */
    open: (target: string, headers: Record<string, string> = {}) =>
      send(target, { headers: { ...navigation, ...headers } }),
    /** What a page of the maker requests. */
    fetch: (target: string, request: MakerRequest = {}) =>
      send(target, {
        ...request,
        headers: {
          'sec-fetch-site': 'same-origin',
          'sec-fetch-dest': 'empty',
          ...request.headers,
        },
      }),
    /** Without any header that browsers add. */
    send,
  }
}

/** A browser of the user with a session of the maker. Any replica takes the ticket. */
export async function signInToMaker(
  user: Pick<User, 'api'>,
  makerUrl: () => string,
): Promise<MakerBrowser> {
  const browser = createMakerBrowser(makerUrl)
  const { body } = await user.api('/maker', { method: 'POST', body: {} })
  const { pathname, search } = new URL(body.url)
  expect((await browser.open(`${pathname}${search}`)).status).toBe(303)
  return browser
}
