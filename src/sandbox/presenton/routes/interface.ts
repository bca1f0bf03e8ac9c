/**
 * The browser interface, as far as a proxy in front can tell: pages with a head, files that may be
 * cached for ever, and headers that must not reach a browser.
 */

import { json, type Reply } from '../reply.ts'
import type { Exchange, Route, StandInState } from '../state.ts'

const pages = [
  ...['/dashboard', '/upload', '/documents-preview', '/outline', '/presentation'],
  ...['/templates', '/template-preview', '/theme', '/settings', '/admin', '/pdf-maker'],
]

export const interfaceRoutes: readonly Route[] = [
  ...pages.map((path): Route => ({ method: 'GET', path, operation: 'other', handle: page })),
  {
    method: 'GET',
    path: '/_next/static/{file…}',
    operation: 'other',
    isPublic: true,
    handle: () => file('text/javascript; charset=utf-8', 'console.log("interface")\n'.repeat(200)),
  },
  {
    method: 'GET',
    path: '/Logo.svg',
    operation: 'other',
    isPublic: true,
    handle: () => file('image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'),
  },
  { method: 'GET', path: '/api/v1/ppt/themes/all', operation: 'other', handle: () => json([]) },
]

/** Shows the user whose cookie the request has, as the real pages ask FastAPI for it. */
function page(_state: StandInState, { url, user }: Exchange): Reply {
  const shown = `${url.pathname}${url.search} for ${user.username || 'nobody'}`
  const text = shown.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'x-powered-by': 'Next.js',
      server: 'nginx',
      'set-cookie': 'presenton_session=planted; Path=/',
    },
    body: Buffer.from(
      `<!DOCTYPE html><html lang="en"><head><title>Presenton (stand-in)</title></head><body>${text}</body></html>`,
    ),
  }
}

function file(type: string, text: string): Reply {
  return {
    status: 200,
    headers: { 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' },
    body: Buffer.from(text),
  }
}
