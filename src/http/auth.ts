// Who calls. Registered once in the scope of all routes that need a caller, so that none of them
// can forget it.

import type { FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from './base.ts'
import type { CheckRateLimit } from './rate-limit.ts'
import type { Caller, TokenVerifier } from './tokens.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for every request of the authenticated scope. */
    caller: Caller
  }
  interface FastifyContextConfig {
    /** A `?ticket=` is a credential on this route. */
    takesTicket?: boolean
  }
}

export const sessionCookie = 'gateway_session'

export interface AuthOptions {
  verify: TokenVerifier
  /** Uses a ticket of this presentation up; undefined when it is none. */
  redeemTicket: (used: { ticket: string; id: string }) => Promise<Caller | undefined>
  /** Whether a page of this origin may change things with the session cookie. */
  isTrustedOrigin: (origin: string) => boolean
  checkRateLimit: CheckRateLimit
}

/** Every request of this scope has a `caller` from here on, or was refused. */
export function authenticate(
  scope: App,
  { verify, redeemTicket, isTrustedOrigin, checkRateLimit }: AuthOptions,
) {
  scope.addHook('onRoute', (route) => {
    // Also on one that has no schema yet.
    route.schema = { ...route.schema, security: [{ bearer: [] }, { session: [] }] }
  })
  scope.addHook('onRequest', async (request, reply) => {
    // What is answered here is one user's own.
    reply.header('cache-control', 'no-store')
    try {
      request.caller = await callerOf(request)
    } finally {
      // Also when refused: then by address, and with one too many, 429 takes the place of 401.
      await checkRateLimit(request, reply)
    }
  })

  async function callerOf(request: FastifyRequest): Promise<Caller> {
    refuseTokensInQuery(request)
    const token = bearerToken(request)
    if (token !== undefined) return verify(token)
    const ticket = ticketOf(request)
    if (ticket !== undefined) return callerOfTicket(ticket)
    const session = sessionToken(request)
    if (session === undefined) throw new Problem('AUTHENTICATION_FAILED')
    checkOrigin(request, isTrustedOrigin)
    return verify(session)
  }

  async function callerOfTicket(used: { ticket: string; id: string }): Promise<Caller> {
    const caller = await redeemTicket(used)
    if (!caller) throw new Problem('AUTHENTICATION_FAILED')
    return caller
  }
}

/**
 * For what needs no caller: counts it for the user of a good token, else by address. Refuses nobody
 * but who asks too often.
 */
export function createAnonymousRateLimit({
  verify,
  checkRateLimit,
}: Pick<AuthOptions, 'verify' | 'checkRateLimit'>): CheckRateLimit {
  return async (request, reply) => {
    try {
      const token = bearerToken(request) ?? sessionToken(request)
      if (token !== undefined) request.caller = await verify(token)
    } catch {
      // A token that is not good tells nothing about who asks.
    }
    await checkRateLimit(request, reply)
  }
}

/**
 * The ticket in the query, on routes that take one; undefined when there is none. A bad one is
 * never rescued by a cookie.
 */
function ticketOf(request: FastifyRequest): { ticket: string; id: string } | undefined {
  if (!request.routeOptions.config.takesTicket) return undefined
  const { ticket } = request.query as { ticket?: unknown }
  if (ticket === undefined) return undefined
  const { id } = request.params as { id?: unknown }
  if (typeof ticket !== 'string' || typeof id !== 'string')
    throw new Problem('AUTHENTICATION_FAILED')
  return { ticket, id }
}

/**
 * The token of the Authorization header; undefined when there is no such header. Anything but one
 * Bearer token is refused.
 */
export function bearerToken(request: FastifyRequest): string | undefined {
  // `headers` keeps the first of several and drops the rest; a proxy before us may have believed
  // another one.
  const given = request.raw.headersDistinct.authorization
  if (given === undefined) return undefined
  const [, token] = (given.length === 1 && /^bearer +([\w~+/.-]+=*)$/i.exec(given[0] ?? '')) || []
  if (token === undefined) throw new Problem('AUTHENTICATION_FAILED')
  return token
}

/** The token of the session cookie; undefined when there is none. */
function sessionToken(request: FastifyRequest): string | undefined {
  const values = sessionCookies(request)
  // Two of them: one was planted, from a sibling domain or over plain http, and nothing tells
  // which.
  if (new Set(values).size > 1) throw new Problem('AUTHENTICATION_FAILED')
  return values[0] || undefined
}

/** Whether there is such a cookie at all, good or not. */
export function hasSessionCookie(request: FastifyRequest): boolean {
  return sessionCookies(request).length > 0
}

function sessionCookies(request: FastifyRequest): string[] {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
  return pairs.filter(([name]) => name === sessionCookie).map(([, ...value]) => value.join('='))
}

/**
 * Browsers send the cookie whoever made the page; so what changes something must come from a page
 * we trust.
 */
export function checkOrigin(
  request: FastifyRequest,
  isTrustedOrigin: AuthOptions['isTrustedOrigin'],
) {
  if (['GET', 'HEAD', 'OPTIONS'].includes(request.method)) return
  const { origin, 'sec-fetch-site': site } = request.headers
  const isTrusted = origin === undefined ? site === 'same-origin' : isTrustedOrigin(origin)
  if (!isTrusted) throw new Problem('PERMISSION_DENIED')
}

/**
 * URLs end up in logs, histories and Referer headers; a token that arrives in one is not to be
 * used, also not by mistake.
 */
function refuseTokensInQuery(request: FastifyRequest) {
  const query = new URLSearchParams(/\?([^#]*)/.exec(request.url)?.[1] ?? '')
  for (const [name, value] of query) {
    if (
      /^(access_token|token|id_token|jwt|authorization|bearer)$/i.test(name) ||
      /^(bearer\s+)?eyJ[\w-]*\.[\w-]+\.[\w-]*$/i.test(value)
    ) {
      throw new Problem('AUTHENTICATION_FAILED')
    }
  }
}
