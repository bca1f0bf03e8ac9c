// POST and DELETE /session: the cookie that lets a browser's own EventSource and plain links be
// authenticated. It holds the token itself, so the service keeps no sessions.

import type { FastifyReply } from 'fastify'
import { Problem } from '../../domain/problem.ts'
import {
  type AuthOptions,
  bearerToken,
  checkOrigin,
  hasSessionCookie,
  sessionCookie,
} from '../../http/auth.ts'
import type { App } from '../../http/base.ts'
import { emptyResponse, problemResponsesOfWrite } from '../../http/schemas.ts'

/** Browsers keep cookies up to 4096 bytes, name and attributes included. */
const maxCookieBytes = 3_800

export interface SessionRoutes {
  publicUrl: () => string
}

/** In the authenticated scope: whoever gets here showed a good token. */
export function createSessionRoute(own: App, { publicUrl }: SessionRoutes) {
  const schema = {
    operationId: 'openSession',
    tags: ['session'],
    summary: 'Keep your Bearer token in a cookie',
    response: {
      204: emptyResponse('The cookie is set; it ends with the token.'),
      ...problemResponsesOfWrite(),
    },
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
export function deleteSessionRoute(
  scope: App,
  { publicUrl, isTrustedOrigin }: SessionRoutes & Pick<AuthOptions, 'isTrustedOrigin'>,
) {
  const schema = {
    operationId: 'closeSession',
    tags: ['session'],
    summary: 'Clear the cookie',
    response: { 204: emptyResponse('The cookie is cleared.'), ...problemResponsesOfWrite() },
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
