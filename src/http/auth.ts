// Who calls. Registered once in the scope of all routes that need a caller, so that none of them
// can forget it.

import type { FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { TicketPurpose } from '../domain/ticket-purposes.ts'
import type { App } from './base.ts'
import type { CheckRateLimit } from './rate-limit.ts'
import type { Caller, TokenVerifier } from './tokens.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for every request of the authenticated scope. */
    caller: Caller
  }
  interface FastifyContextConfig {
    /** The route accepts tickets of this purpose, as `?ticket=`. */
    takesTicket?: TicketPurpose
  }
}

export const sessionCookie = 'gateway_session'

/** A ticket, and the route that it should open. */
export interface RouteTicket {
  ticket: string
  purpose: TicketPurpose
  /** The id in the route's path; null where the path has none. */
  presentationId: string | null
}

export interface AuthOptions {
  verify: TokenVerifier
  /** Uses the ticket up and returns its user; undefined for one that does not open this route. */
  redeemTicket: (use: RouteTicket) => Promise<Caller | undefined>
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

  async function callerOfTicket(use: RouteTicket): Promise<Caller> {
    const caller = await redeemTicket(use)
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
function ticketOf(request: FastifyRequest): RouteTicket | undefined {
  const purpose = request.routeOptions.config.takesTicket
  if (!purpose) return undefined
  const { ticket } = request.query as { ticket?: unknown }
  if (ticket === undefined) return undefined
  if (typeof ticket !== 'string') throw new Problem('AUTHENTICATION_FAILED')
  const { id = null } = request.params as { id?: string }
  return { ticket, purpose, presentationId: id }
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
