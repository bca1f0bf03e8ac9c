// Serves the page: `index.html` at the page's own URLs, and its hashed assets. A browser that opens
// any other URL gets the page, too, which shows a way home; programs get a problem document.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from '../http/base.ts'
import { cacheControl, securityHeaders } from '../http/security-headers.ts'
import type { SiteFile, SiteFiles } from './files.ts'

export interface SiteRoutes {
  files: SiteFiles
  /** The base of all links; the page may open WebSockets to its host only. */
  publicUrl: () => string
}

/** Paths that are states of the page. Ids are checked by the page, which shows a way home. */
const pageUrls = ['/', '/decks/*', '/settings']

export async function siteRoutes(app: App, { files, publicUrl }: SiteRoutes): Promise<void> {
  await app.register(async (scope: App) => {
    cacheControl(scope, 'no-cache')
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header('content-security-policy', contentSecurityPolicy(publicUrl()))
    })
    for (const url of pageUrls) {
      scope.get(url, { schema: { hide: true } }, (request, reply) =>
        sendFile(request, reply, files.index),
      )
    }
  })
  await app.register(async (scope: App) => {
    securityHeaders(scope, {})
    scope.get<{ Params: { name: string } }>(
      '/assets/:name',
      { schema: { hide: true } },
      (request, reply) => {
        const { name } = request.params
        const file = files.assets.get(name)
        if (file) {
          reply.header('cache-control', 'public, max-age=31536000, immutable')
          return sendFile(request, reply, file)
        }
        const other = files.ofAnotherRelease(name)
        if (!other) throw new Problem('NOT_FOUND')
        reply.header('cache-control', 'no-store')
        return sendFile(request, reply, { ...other, etag: undefined })
      },
    )
  })
}

/** For the server as a whole, whose unknown URLs belong to no scope. */
export function showUnknownPages(app: App, { files, publicUrl }: SiteRoutes): void {
  app.sendUnknownPage = (request, reply) => {
    reply.headers({
      'content-security-policy': contentSecurityPolicy(publicUrl()),
      'cache-control': 'no-cache',
    })
    return sendFile(request, reply.code(404), { ...files.index, etag: undefined })
  }
}

/** No inline script or style, nothing of another origin. */
function contentSecurityPolicy(publicUrl: string): string {
  const { host, protocol } = new URL(publicUrl)
  // Older browsers do not count WebSockets of the own origin as 'self'.
  const socket = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    `connect-src 'self' ${socket}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: Omit<SiteFile, 'etag'> & { etag: string | undefined },
) {
  reply.headers({ 'content-type': file.contentType, vary: 'accept-encoding' })
  if (file.etag !== undefined) {
    reply.header('etag', file.etag)
    if (request.headers['if-none-match'] === file.etag) return reply.code(304).send()
  }
  const acceptsGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(
    request.headers['accept-encoding'] ?? '',
  )
  if (!acceptsGzip || !file.compressed) return reply.send(file.content)
  return reply.header('content-encoding', 'gzip').send(file.compressed)
}
