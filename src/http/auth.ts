// Authentication of requests: bearer token, ticket or session cookie. One hook for a whole scope,
// so no route can forget it.

import type { FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import { presentationPurposes, type TicketPurpose } from '../domain/ticket-purposes.ts'
import type { App } from './base.ts'
import { type CheckRateLimit, describeRateLimit } from './rate-limit.ts'
import { sessionToken } from './session-cookie.ts'
import type { Caller, TokenVerifier } from './tokens.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for every request of an authenticated scope. */
    caller: Caller
  }
  interface FastifyContextConfig {
    /** The route accepts tickets of this purpose, as `?ticket=`. */
    takesTicket?: TicketPurpose
    /**
     * Reading with the session cookie requires a trusted origin, too. `origin`: an `Origin` header;
     * `site`: that, or `Sec-Fetch-Site: same-origin`.
     */
    checksOrigin?: 'origin' | 'site'
  }
}

/** A ticket, and the route that it should open. */
export interface RouteTicket {
  ticket: string
  purpose: TicketPurpose
  /** The id in the route's path; null where the purpose is bound to none. */
  presentationId: string | null
}

export interface AuthOptions {
  /** By it the session cookie has its name. */
  publicUrl: () => string
  verify: TokenVerifier
  /** Uses up the ticket and returns its user; undefined when it does not open this route. */
  redeemTicket: (use: RouteTicket) => Promise<Caller | undefined>
  /** Whether pages of this origin may make changes with the session cookie. */
  isTrustedOrigin: (origin: string) => boolean
  checkRateLimit: CheckRateLimit
}

/** Sets `request.caller` for every request of the scope, or refuses the request. */
export function authenticate(
  scope: App,
  { verify, redeemTicket, isTrustedOrigin, checkRateLimit, publicUrl }: AuthOptions,
) {
  identifyCallers(scope, { findCaller, checkRateLimit })
  scope.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, security: [{ bearer: [] }, { session: [] }] }
  })
  async function findCaller(request: FastifyRequest): Promise<Caller> {
    rejectTokenInQuery(request)
    const token = bearerToken(request)
    if (token !== undefined) return verify(token)
    const ticket = ticketOf(request)
    if (ticket !== undefined) return findTicketOwner(ticket)
    const session = sessionToken(request, publicUrl())
    if (session === undefined) throw new Problem('AUTHENTICATION_FAILED')
    checkOrigin(request, isTrustedOrigin)
    const caller = await verify(session)
    checkOriginOfRead(request, isTrustedOrigin)
    return caller
  }

  async function findTicketOwner(use: RouteTicket): Promise<Caller> {
    const caller = await redeemTicket(use)
    if (!caller) throw new Problem('AUTHENTICATION_FAILED')
    return caller
  }
}

export interface BearerOptions extends Pick<AuthOptions, 'verify' | 'checkRateLimit'> {
  /** The WWW-Authenticate header of a 401. */
  challenge: () => string
}

/** As `authenticate`, for programs: only a bearer token counts, no cookie and no ticket. */
export function authenticateBearer(
  scope: App,
  { verify, checkRateLimit, challenge }: BearerOptions,
): void {
  identifyCallers(scope, { findCaller, checkRateLimit })

  async function findCaller(request: FastifyRequest): Promise<Caller> {
    try {
      rejectTokenInQuery(request)
      const token = bearerToken(request)
      if (token === undefined) throw new Problem('AUTHENTICATION_FAILED')
      return await verify(token)
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error
      const headers = { 'www-authenticate': challenge() }
      throw new Problem(error.code, { cause: error, headers })
    }
  }
}

/** Sets `request.caller`, and counts every request. */
function identifyCallers(
  scope: App,
  {
    findCaller,
    checkRateLimit,
  }: { findCaller: (request: FastifyRequest) => Promise<Caller>; checkRateLimit: CheckRateLimit },
): void {
  describeRateLimit(scope)
  scope.addHook('onRequest', async (request, reply) => {
    try {
      request.caller = await findCaller(request)
    } finally {
      // Failed authentications count by address; beyond the limit, 429 replaces the 401.
      await checkRateLimit(request, reply)
    }
  })
}

/**
 * For routes without authentication: counts a request for the user of a valid token, else for the
 * address. Only the rate limit refuses.
 */
export function createAnonymousRateLimit({
  verify,
  checkRateLimit,
  publicUrl,
}: Pick<AuthOptions, 'verify' | 'checkRateLimit' | 'publicUrl'>): CheckRateLimit {
  return async (request, reply) => {
    try {
      const token = bearerToken(request) ?? sessionToken(request, publicUrl())
      if (token !== undefined) request.caller = await verify(token)
    } catch {
      // Without a valid token the request counts for its address.
    }
    await checkRateLimit(request, reply)
  }
}

/** The ticket in the query, on routes that accept one. No cookie replaces an invalid ticket. */
function ticketOf(request: FastifyRequest): RouteTicket | undefined {
  const purpose = request.routeOptions.config.takesTicket
  if (!purpose) return undefined
  const { ticket } = request.query as { ticket?: unknown }
  if (ticket === undefined) return undefined
  if (typeof ticket !== 'string') throw new Problem('AUTHENTICATION_FAILED')
  const { id = null } = request.params as { id?: string }
  return { ticket, purpose, presentationId: presentationPurposes.has(purpose) ? id : null }
}

/**
 * The token of the Authorization header; undefined without the header.
 * @throws Problem AUTHENTICATION_FAILED for anything but one Bearer token
 */
export function bearerToken(request: FastifyRequest): string | undefined {
  // `headers` keeps the first of several headers; a proxy in front may have checked another.
  const values = request.raw.headersDistinct.authorization
  if (values === undefined) return undefined
  const [, token] = (values.length === 1 && /^bearer +([\w~+/.-]+=*)$/i.exec(values[0] ?? '')) || []
  if (token === undefined) throw new Problem('AUTHENTICATION_FAILED')
  return token
}

/**
 * Browsers send the cookie from any page, so a change with it must come from a trusted origin.
 * @throws Problem PERMISSION_DENIED
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

/** An `Origin` that was sent must be trusted. @throws Problem PERMISSION_DENIED */
export function checkGivenOrigin(
  { headers: { origin } }: FastifyRequest,
  isTrustedOrigin: AuthOptions['isTrustedOrigin'],
) {
  if (origin !== undefined && !isTrustedOrigin(origin)) throw new Problem('PERMISSION_DENIED')
}

/** CORS does not cover WebSockets: any page may open one with the cookies of its visitor. */
function checkOriginOfRead(
  request: FastifyRequest,
  isTrustedOrigin: AuthOptions['isTrustedOrigin'],
) {
  const { checksOrigin } = request.routeOptions.config
  if (!checksOrigin) return
  const { origin, 'sec-fetch-site': site } = request.headers
  const isSameSite = checksOrigin === 'site' && site === 'same-origin'
  if (origin === undefined ? !isSameSite : !isTrustedOrigin(origin)) {
    throw new Problem('PERMISSION_DENIED')
  }
}

/** URLs end up in logs, browser histories and Referer headers, so a token in one is refused. */
function rejectTokenInQuery(request: FastifyRequest) {
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
