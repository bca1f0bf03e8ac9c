// Who calls. Registered once in the scope of all routes that need a caller, so that none of them can forget it.

import type { FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from './base.ts'
import type { Caller, TokenVerifier } from './tokens.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set in the authenticated scope only. */
    caller: Caller
  }
}

export const sessionCookie = 'gateway_session'

export interface AuthOptions {
  verify: TokenVerifier
  /** Whether a page of this origin may change things with the session cookie. */
  isTrustedOrigin: (origin: string) => boolean
}

/** Every request of this scope has a `caller` from here on, or was refused. */
export function authenticate(scope: App, { verify, isTrustedOrigin }: AuthOptions) {
  scope.decorateRequest('caller')
  scope.addHook('onRequest', async (request, reply) => {
    // What is answered here is one user's own.
    reply.header('cache-control', 'no-store')
    refuseTokensInQuery(request)
    const token = bearerToken(request)
    if (token !== undefined) {
      request.caller = await verify(token)
      return
    }
    const session = sessionToken(request)
    if (session === undefined) throw new Problem('AUTHENTICATION_FAILED')
    checkOrigin(request, isTrustedOrigin)
    request.caller = await verify(session)
  })
}

/** The token of the Authorization header; undefined when there is no such header. Anything but one Bearer token is refused. */
export function bearerToken(request: FastifyRequest): string | undefined {
  // `headers` keeps the first of several and drops the rest; a proxy before us may have believed another one.
  const given = request.raw.headersDistinct.authorization
  if (given === undefined) return undefined
  const [, token] = (given.length === 1 && /^bearer +([\w~+/.-]+=*)$/i.exec(given[0] ?? '')) || []
  if (token === undefined) throw new Problem('AUTHENTICATION_FAILED')
  return token
}

/** The token of the session cookie; undefined when there is none. */
export function sessionToken(request: FastifyRequest): string | undefined {
  const cookies = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
  const values = cookies.filter(([name]) => name === sessionCookie).map(([, ...value]) => value.join('='))
  // Two of them: one was planted, from a sibling domain or over plain http, and nothing tells which.
  if (new Set(values).size > 1) throw new Problem('AUTHENTICATION_FAILED')
  return values[0] || undefined
}

/** Browsers send the cookie whoever made the page; so what changes something must come from a page we trust. */
export function checkOrigin(request: FastifyRequest, isTrustedOrigin: AuthOptions['isTrustedOrigin']) {
  if (['GET', 'HEAD', 'OPTIONS'].includes(request.method)) return
  const { origin, 'sec-fetch-site': site } = request.headers
  const isTrusted = origin === undefined ? site === 'same-origin' : isTrustedOrigin(origin)
  if (!isTrusted) throw new Problem('PERMISSION_DENIED')
}

/** URLs end up in logs, histories and Referer headers; a token that arrives in one is not to be used, also not by mistake. */
function refuseTokensInQuery(request: FastifyRequest) {
  const query = new URLSearchParams(/\?([^#]*)/.exec(request.url)?.[1] ?? '')
  for (const [name, value] of query) {
    if (/^(access_token|token|id_token|jwt|authorization|bearer)$/i.test(name) || /^(bearer\s+)?eyJ[\w-]*\.[\w-]+\.[\w-]*$/i.test(value)) {
      throw new Problem('AUTHENTICATION_FAILED')
    }
  }
}
