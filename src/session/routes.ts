// POST and DELETE /session: the session cookie, for a browser's EventSource and for plain links. It
// holds the token itself, so the service stores no sessions.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import { bearerToken, checkOrigin } from '../http/auth.ts'
import type { App } from '../http/base.ts'
import { jsonBodies } from '../http/body/json-bodies.ts'
import { type CheckRateLimit, limitRequests } from '../http/rate-limit.ts'
import { emptyResponse, problemResponsesOfWrite } from '../http/schemas.ts'
import { hasSessionCookie, sessionCookies } from '../http/session-cookie.ts'

/** For clients that send an empty object with every request: anyone may close a session. */
const maxBodyBytes = 1024
/** Browsers accept cookies up to 4096 bytes, with name and attributes. */
const maxTokenBytes = 3_800

export interface SessionRoutes {
  publicUrl: () => string
  isTrustedOrigin: (origin: string) => boolean
  requireCaller: (scope: App) => void
  limitAnonymous: CheckRateLimit
}

export async function sessionRoutes(
  api: App,
  { publicUrl, isTrustedOrigin, requireCaller, limitAnonymous }: SessionRoutes,
): Promise<void> {
  await api.register(async (scope: App) => {
    requireCaller(scope)
    openSessionRoute(scope, publicUrl)
  })
  // Needs no valid token, so that the cookie of an expired one can be cleared.
  await api.register(async (scope: App) => {
    limitRequests(scope, limitAnonymous)
    scope.removeAllContentTypeParsers()
    jsonBodies(scope, { maxBytes: maxBodyBytes })
    closeSessionRoute(scope, publicUrl, isTrustedOrigin)
  })
}

function openSessionRoute(scope: App, publicUrl: () => string) {
  const schema = {
    operationId: 'openSession',
    tags: ['session'],
    summary: 'Keep your Bearer token in a cookie',
    response: {
      204: emptyResponse('The cookie is set; it expires with the token.', ['Set-Cookie']),
      ...problemResponsesOfWrite(),
    },
  }
  scope.post('/session', { schema }, async (request, reply) => {
    const token = bearerToken(request)
    if (token === undefined) throw new Problem('AUTHENTICATION_FAILED')
    if (token.length > maxTokenBytes) {
      const message = `must be at most ${maxTokenBytes} bytes long to fit into a cookie`
      throw new Problem('VALIDATION_FAILED', { errors: [{ path: 'Authorization', message }] })
    }
    const expires = request.caller.expiresAt
    return setCookie({ request, reply }, { publicUrl: publicUrl(), token, expires })
  })
}

function closeSessionRoute(
  scope: App,
  publicUrl: () => string,
  isTrustedOrigin: SessionRoutes['isTrustedOrigin'],
) {
  const schema = {
    operationId: 'closeSession',
    tags: ['session'],
    summary: 'Clear the cookie',
    response: {
      204: emptyResponse('The cookie is cleared.', ['Set-Cookie']),
      ...problemResponsesOfWrite(),
    },
  }
  scope.delete('/session', { schema }, async (request, reply) => {
    if (bearerToken(request) === undefined) {
      if (!hasSessionCookie(request)) throw new Problem('AUTHENTICATION_FAILED')
      checkOrigin(request, isTrustedOrigin)
    }
    const expires = new Date(0)
    return setCookie({ request, reply }, { publicUrl: publicUrl(), token: '', expires })
  })
}

function setCookie(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  cookie: { publicUrl: string; token: string; expires: Date },
) {
  return reply.code(204).header('set-cookie', sessionCookies(request, cookie)).send()
}
