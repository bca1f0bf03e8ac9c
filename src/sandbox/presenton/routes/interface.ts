/**
 * The browser interface: pages with a head, files that may be cached without end, and headers that
 * must not reach a browser. Its program is in `../interface`.
 */

import { findInterfaceFile, interfacePage } from '../interface/files.ts'
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
    handle: (_state, { url }) => {
      const found = findInterfaceFile(url.pathname)
      return file(
        found?.type ?? 'text/javascript; charset=utf-8',
        found?.text ?? 'console.log("interface")\n'.repeat(200),
      )
    },
  },
  {
    method: 'GET',
    path: '/Logo.svg',
    operation: 'other',
    isPublic: true,
    handle: () => file('image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'),
  },
  { method: 'GET', path: '/api/v1/ppt/themes/all', operation: 'other', handle: () => json([]) },
  {
    method: 'GET',
    path: '/api/v1/ppt/fonts/uploaded',
    operation: 'other',
    handle: () => json({ fonts: [] }),
  },
]

/** Notes the user whose cookie the request has, as the real pages ask FastAPI for it. */
function page(_state: StandInState, { request, url, user }: Exchange): Reply {
  // What Next.js sends to a page that is open already.
  const isInBackground = request.headers['rsc'] === '1'
  const note = `${url.pathname}${url.search} for ${user.username || 'no user'}`
  const type = isInBackground ? 'text/x-component' : 'text/html; charset=utf-8'
  return {
    status: 200,
    headers: {
      'content-type': type,
      'x-powered-by': 'Next.js',
      server: 'nginx',
      'set-cookie': 'presenton_session=planted; Path=/',
    },
    body: Buffer.from(isInBackground ? `0:${JSON.stringify(note)}\n` : interfacePage(note)),
  }
}

function file(type: string, text: string): Reply {
  return {
    status: 200,
    headers: { 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' },
    body: Buffer.from(text),
  }
}
