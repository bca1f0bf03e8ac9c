// What a request to the maker is, by the headers that browsers set: a document that is opened, or
// something that a page does. No script can set them.

import type { FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'

/**
 * Whether the browser opens a document. Browsers send no Sec-Fetch headers to plain http elsewhere
 * than on localhost; there the decision is made by what the request accepts.
 */
export function isNavigation({ method, headers }: FastifyRequest): boolean {
  if (headers['rsc'] !== undefined) return false
  const { 'sec-fetch-dest': dest, 'sec-fetch-mode': mode } = headers
  if (dest !== undefined) return dest === 'document' || dest === 'iframe' || dest === 'frame'
  if (mode !== undefined) return mode === 'navigate'
  return (method === 'GET' || method === 'HEAD') && /\btext\/html\b/.test(headers.accept ?? '')
}

/** Whether a document is opened for a person to see, at the top or in a frame that is allowed. */
export function isShown(request: FastifyRequest, { mayBeFramed }: { mayBeFramed: boolean }) {
  const { 'sec-fetch-dest': dest, 'sec-purpose': purpose, purpose: oldPurpose } = request.headers
  if (request.method !== 'GET') return false
  if (purpose !== undefined || oldPurpose !== undefined) return false
  if (dest !== undefined && dest !== 'document' && !mayBeFramed) return false
  return isNavigation(request)
}

/**
 * For everything that changes or spends, also by GET: a page of another origin may send it with the
 * cookies of its visitor. Browsers send a form of our pages with `Origin: null`, because of their
 * `no-referrer`.
 *
 * @throws Problem PERMISSION_DENIED
 */
export function checkSameOrigin({ headers }: FastifyRequest, makerUrl: string): void {
  const { origin, 'sec-fetch-site': site } = headers
  const isUnnamed = origin === undefined || origin === 'null'
  const isOwn = isUnnamed ? site === 'same-origin' : origin === new URL(makerUrl).origin
  if (!isOwn) throw new Problem('PERMISSION_DENIED')
}
