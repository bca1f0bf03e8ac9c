// The cookie of the maker. It is opaque, and only the maker's origin gets it: `__Host-` where https
// is used, so that no other host can plant one.

import type { FastifyRequest } from 'fastify'

const nameOf = (makerUrl: string) =>
  makerUrl.startsWith('https:') ? '__Host-maker_session' : 'maker_session'

/** The id in the cookie; undefined without one, or with two, of which one was planted. */
export function readSessionId(request: FastifyRequest, makerUrl: string): string | undefined {
  const name = nameOf(makerUrl)
  const values = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim().split('='))
    .filter(([given]) => given === name)
    .map(([, ...value]) => value.join('='))
  return values.length === 1 && /^[\w-]{43}$/.test(values[0] ?? '') ? values[0] : undefined
}

/**
 * Without an id it deletes the cookie. Its end is not in it: the session may be renewed, of which
 * this browser is not told.
 */
export function sessionCookie(makerUrl: string, id = ''): string {
  return [
    `${nameOf(makerUrl)}=${id}`,
    'Path=/',
    ...(id === '' ? [`Expires=${new Date(0).toUTCString()}`] : []),
    'HttpOnly',
    'SameSite=Lax',
    ...(makerUrl.startsWith('https:') ? ['Secure'] : []),
  ].join('; ')
}
