// POST and DELETE /session: the cookie that lets a browser's own EventSource and plain links be authenticated. It holds the
// token itself, so the service keeps no sessions.

import type { FastifyReply } from 'fastify'
import { Problem } from '../../domain/problem.ts'
import { type AuthOptions, bearerToken, checkOrigin, hasSessionCookie, sessionCookie } from '../auth.ts'
import type { App } from '../base.ts'
import { emptyAnswer, problemAnswersOfWrite } from '../schemas.ts'

/** Browsers keep cookies up to 4096 bytes, name and attributes included. */
const maxCookieBytes = 3_800

export interface SessionRoutes {
  publicUrl: () => string
}

/** In the authenticated scope: whoever gets here showed a good token. */
export function openSessionRoute(own: App, { publicUrl }: SessionRoutes) {
  const schema = {
    operationId: 'openSession',
    tags: ['session'],
    summary: 'Keep your Bearer token in a cookie',
    response: { 204: emptyAnswer('The cookie is set; it ends with the token.'), ...problemAnswersOfWrite() },
  }
  own.post('/session', { schema }, async (request, reply) => {
    const token = bearerToken(request)
    if (token === undefined) throw new Problem('AUTHENTICATION_FAILED')
    if (token.length > maxCookieBytes) {
      const message = `must not be over ${maxCookieBytes} bytes to fit into a cookie`
      throw new Problem('VALIDATION_FAILED', { errors: [{ path: 'Authorization', message }] })
    }
    return setCookie(reply, publicUrl(), token, request.caller.expiresAt)
  })
}

/** Outside of the authenticated scope: the cookie of an expired token must be cleared, too. */
export function closeSessionRoute(
  scope: App,
  { publicUrl, isTrustedOrigin }: SessionRoutes & Pick<AuthOptions, 'isTrustedOrigin'>,
) {
  const schema = {
    operationId: 'closeSession',
    tags: ['session'],
    summary: 'Clear the cookie',
    response: { 204: emptyAnswer('The cookie is cleared.'), ...problemAnswersOfWrite() },
  }
  scope.delete('/session', { schema }, async (request, reply) => {
    if (bearerToken(request) === undefined) {
      if (!hasSessionCookie(request)) throw new Problem('AUTHENTICATION_FAILED')
      checkOrigin(request, isTrustedOrigin)
    }
    return setCookie(reply, publicUrl(), '', new Date(0))
  })
}

function setCookie(reply: FastifyReply, publicUrl: string, value: string, expires: Date) {
  const secure = publicUrl.startsWith('https:') ? '; Secure' : ''
  const cookie = `${sessionCookie}=${value}; Path=/; Expires=${expires.toUTCString()}; HttpOnly; SameSite=Lax${secure}`
  return reply.code(204).header('cache-control', 'no-store').header('set-cookie', cookie).send()
}
