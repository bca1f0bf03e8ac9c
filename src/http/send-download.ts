// Sends a presigned link: as a redirect for browsers, or as JSON for programs.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Download } from '../contract/presentation.ts'

export function sendDownload(request: FastifyRequest, reply: FastifyReply, download: Download) {
  // CORS may have set Vary already.
  reply
    .header('cache-control', 'no-store')
    .header('vary', [reply.getHeader('vary'), 'Accept'].filter(Boolean).join(', '))
  if (!asksForJson(request.headers.accept))
    return reply.code(302).header('location', download.url).send()
  return reply.code(200).send(download)
}

/** Only by name: a browser that follows a link sends a wildcard. */
function asksForJson(accept = ''): boolean {
  return /(^|,)\s*application\/json\s*(;(?!\s*q=0(\.0*)?\s*(,|$))|,|$)/i.test(accept)
}
