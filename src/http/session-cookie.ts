// The API's session cookie. Where https is used its name says that this very host has set it: a
// page of a sibling domain, or one over http, can plant a cookie only under another name.

import type { FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'

const plainName = 'gateway_session'
const hostName = `__Host-${plainName}`

/** The name under which the cookie is set and counts. */
const nameFor = (publicUrl: string) => (publicUrl.startsWith('https:') ? hostName : plainName)

function findCookies({ headers }: FastifyRequest) {
  return (headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim().split('='))
    .map(([name = '', ...value]) => ({ name, value: value.join('=') }))
    .filter(({ name }) => name === plainName || name === hostName)
}

/** Whether the request has a session cookie, valid or not. */
export const hasSessionCookie = (request: FastifyRequest): boolean =>
  findCookies(request).length > 0

/**
 * The token of the session cookie; undefined without one.
 *
 * @throws Problem AUTHENTICATION_FAILED for two cookies: one of them was planted
 */
export function sessionToken(request: FastifyRequest, publicUrl: string): string | undefined {
  const [cookie, ...others] = findCookies(request)
  if (others.length > 0) throw new Problem('AUTHENTICATION_FAILED')
  return (cookie?.name === nameFor(publicUrl) && cookie.value) || undefined
}

/**
 * Set-Cookie headers; an `expires` in the past clears the cookie. One that the request has under
 * the other name, from before https was used, is cleared as well: with two, nothing is accepted.
 */
export function sessionCookies(
  request: FastifyRequest,
  { publicUrl, token, expires }: { publicUrl: string; token: string; expires: Date },
): string[] {
  const name = nameFor(publicUrl)
  const others = findCookies(request).filter((cookie) => cookie.name !== name)
  return [
    setCookie(name, token, expires),
    ...others.slice(0, 1).map((other) => setCookie(other.name, '', new Date(0))),
  ]

  function setCookie(cookie: string, value: string, end: Date): string {
    const attributes = [
      `${cookie}=${value}`,
      'Path=/',
      `Expires=${end.toUTCString()}`,
      'HttpOnly',
      'SameSite=Lax',
      ...(publicUrl.startsWith('https:') ? ['Secure'] : []),
    ]
    return attributes.join('; ')
  }
}
